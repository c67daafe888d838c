"""Which files of a folder count."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.cli.predict import images
from experiments.data.folders import check_folder, open_folder
from experiments.data.image_folder import open_class_folder
from experiments.data.listing import IMAGE_SUFFIXES, files, names_listed, others, visible_below
from topformer.errors import DataError


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


LITTER = (
    "._a.jpg",
    ".hidden.png",
    ".ipynb_checkpoints/a-checkpoint.jpg",
    "__MACOSX/a.jpg",
    "@eaDir/a.jpg",
    "Thumbs.db",
)


def test_files_that_a_system_left_behind_are_not_there_at_any_depth(tmp_path: Path) -> None:
    make(tmp_path, *LITTER, "a.JPG", "b/c.png", *(f"b/{name}" for name in LITTER))
    assert [path.name for path in files(tmp_path, IMAGE_SUFFIXES)] == ["a.JPG"]
    assert [path.name for path in visible_below(tmp_path)] == ["a.JPG", "c.png"]


def test_other_endings_are_seen_and_other_files_not(tmp_path: Path) -> None:
    make(tmp_path, "a.BMP", "b.tif", "c.jpg", "readme.txt", "d.json")
    assert [path.name for path in others(tmp_path, IMAGE_SUFFIXES)] == ["a.BMP", "b.tif"]


def test_a_list_is_read_by_lines_and_a_name_may_hold_spaces(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes("\ufeffone two\r\n\r\n  three \n".encode())
    assert names_listed(tmp_path / "train.txt") == ["one two", "three"]
    with pytest.raises(DataError, match=r"cannot read .*val.txt: .*; get it"):
        names_listed(tmp_path / "val.txt", "; get it")


def pair(root: Path, image: str, label: str) -> Path:
    for path, mode in ((root / image, "RGB"), (root / label, "L")):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (8, 8), 1).save(path, format="PNG")
    return root


def test_an_ending_that_is_not_read_is_answered_with_those_that_are(tmp_path: Path) -> None:
    pair(tmp_path, "images/training/a.png", "annotations/training/a.png")
    make(tmp_path, *(f"images/training/{name}.BMP" for name in "bcdefa"), "annotations/training/b.tif")
    with pytest.raises(DataError) as raised:
        open_folder(tmp_path, classes=2)
    said = str(raised.value)
    assert "holds b.BMP, c.BMP, d.BMP and 2 more, whose ending is not read; images accepted: .jpg, .jpeg, .png" in said
    assert "holds b.tif, whose ending is not read; labels accepted: .png, in any case" in said


def test_two_labels_of_one_name_are_a_problem(tmp_path: Path) -> None:
    pair(tmp_path, "images/training/a.png", "annotations/training/a.png")
    make(tmp_path, "annotations/training/a.PNG")
    with pytest.raises(DataError, match=r"a.png and a.PNG share one name"):
        open_folder(tmp_path, classes=2)


def test_images_in_folders_of_a_split_are_not_looked_for_and_the_folders_are_named(tmp_path: Path) -> None:
    pair(tmp_path, "images/training/street/a.png", "annotations/training/street/a.png")
    with pytest.raises(
        DataError, match=r"split training is empty.*; it holds the folder\(s\) street, and only files dir"
    ):
        check_folder(tmp_path)


def test_predict_takes_the_visible_images_of_a_folder_and_no_other_ending(tmp_path: Path) -> None:
    make(tmp_path, "in/a.JPG", "in/b.png", "in/old/c.png", "d.tif", "empty/x.bmp", *(f"in/{name}" for name in LITTER))
    assert [path.name for path in images([tmp_path / "in"])] == ["a.JPG", "b.png"]
    with pytest.raises(DataError, match=r"the ending of .*d.tif is not read; accepted: .jpg, .jpeg, .png"):
        images([tmp_path / "d.tif"])
    with pytest.raises(DataError, match=r"empty holds no image; accepted: .jpg, .jpeg, .png, in any case"):
        images([tmp_path / "empty"])


def test_a_folder_of_classes_has_no_class_that_a_system_left_behind(tmp_path: Path) -> None:
    for split in ("train", "val"):
        make(tmp_path / split, "cat/a.JPEG", "dog/b.png", "cat/old/c.png", *LITTER, "dog/._b.png")
    found = open_class_folder(tmp_path)
    assert found.classes == ("cat", "dog")
    assert [(example.image.name, example.label) for example in found.splits["train"]] == [("a.JPEG", 0), ("b.png", 1)]


def test_names_with_spaces_in_a_list_of_pascal_are_pairs(tmp_path: Path) -> None:
    for split in ("train", "val"):
        name = f"{split} 1 of 2"
        pair(tmp_path, f"JPEGImages/{name}.JPG", f"SegmentationClassContext/{name}.png")
        make(tmp_path, f"ImageSets/SegmentationContext/{split}.txt")
        (tmp_path / f"ImageSets/SegmentationContext/{split}.txt").write_text(f"{name}\n")
    folder = open_folder(tmp_path, dataset="pascal-context-60")
    assert [pair.image.name for pair in folder.pairs("training")] == ["train 1 of 2.JPG"]
    assert np.array_equal(folder.read(folder.pairs("validation")[0])[1], np.ones((8, 8)))

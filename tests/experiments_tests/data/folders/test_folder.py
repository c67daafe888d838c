"""Data sets on disk: opened, checked, loaded and shown."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiments.data.folders import (
    check_folder,
    contact_sheet,
    inspect_folder,
    open_folder,
)
from experiments.data.tokenworld.write import TOKENWORLD, render, write_tokenworld
from topformer.errors import DataError, StorageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six pairs of tokenworld without its manifest: any folder in ADE20K layout."""
    write_tokenworld(tmp_path / "Streets", size=64, training=4, validation=2)
    (tmp_path / "Streets" / "tokenworld.json").unlink()
    return tmp_path / "Streets"


def store(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_tokenworld_opens_with_its_own_name_classes_and_groups(tmp_path: Path) -> None:
    folder = open_folder(write_tokenworld(tmp_path / "data", size=96, training=2, validation=1))
    assert folder.name == "tokenworld-96"
    assert (folder.classes, folder.groups, folder.colours) == (
        TOKENWORLD.classes,
        TOKENWORLD.groups,
        TOKENWORLD.palette,
    )
    assert (folder.ignore, folder.reduce_zero_label, folder.num_classes) == (0, True, 11)
    assert {split: len(pairs) for split, pairs in folder.splits.items()} == {"training": 2, "validation": 1}


def test_an_unfinished_tokenworld_is_refused(tmp_path: Path) -> None:
    data = write_tokenworld(tmp_path / "data", size=64, training=3, validation=1)
    (data / "images/training/000002.jpg").unlink()
    (data / "annotations/training/000002.png").unlink()
    with pytest.raises(DataError, match="split training holds 2 of 3 images"):
        open_folder(data)


def test_pairs_are_matched_by_name_in_order(root: Path) -> None:
    pairs = open_folder(root, classes=11).pairs("training")
    assert [(p.image.name, p.label.name) for p in pairs] == [(f"00000{i}.jpg", f"00000{i}.png") for i in range(4)]


def test_classes_txt_names_the_classes(root: Path) -> None:
    (root / "classes.txt").write_text("road\n\n sky \n")
    folder = open_folder(root)
    assert (folder.name, folder.classes) == ("streets", ("road", "sky"))


def test_dataset_json_describes_a_data_set_whose_label_0_is_a_class(root: Path) -> None:
    about = {"name": "city", "classes": ["road", "sky"], "ignore": 255, "groups": {"all": ["sky"]}}
    (root / "dataset.json").write_text(json.dumps(about))
    folder = open_folder(root)
    assert (folder.name, folder.ignore, folder.groups) == ("city", 255, {"all": ("sky",)})
    labels = np.array([0, 1, 255], np.uint8)
    assert folder.labelling.targets(labels, Path("label.png")).tolist() == [0, 1, 255]


def test_targets_start_at_0_and_ignore_0_and_255(root: Path) -> None:
    labels = np.array([[0, 1], [11, 255]], np.uint8)
    assert open_folder(root, classes=11).labelling.targets(labels, Path("label.png")).tolist() == [[255, 0], [10, 255]]


def test_unknown_classes_are_an_error_when_they_are_needed(root: Path) -> None:
    with pytest.raises(DataError, match=r"the classes of .* are not known; add classes.txt"):
        _ = open_folder(root).num_classes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"clases": []}', "unknown key of a data set 'clases'; did you mean 'classes'"),
        ('{"classes": ["a", "a"]}', "without repetitions"),
        ('{"classes": "road"}', "a list of at most 254 names, or their number, got 'road'"),
        ('{"classes": ["a"], "ignore": 7}', "ignore must be one of 0, 255, got 7"),
        ('{"classes": ["road"], "groups": {"g": ["raod"]}}', "did you mean 'road'"),
        ('{"name": "../elsewhere"}', "name must be .*, got '../elsewhere'"),
        ('{"classes": null}', "classes must be a list of at most 254 names, or their number, got None"),
        ('{"classes": 255}', "classes must be a list of at most 254 names, or their number, got 255"),
        ('{"ignore": true}', "ignore must be one of 0, 255, got True"),
        ('{"groups": {"g": "abc"}}', "groups.g must be a non-empty list of strings, got 'abc'"),
        ('{"palette": [[1, 2, 300]]}', r"a colour of palette must be three integers from 0 to 255, got \[1, 2, 300\]"),
        ('{"classes": ["a", "b"], "palette": [[1, 2, 3]]}', "a colour for each of the 2 classes"),
        ('{"dataset": 5}', "dataset must be a non-empty string, got 5"),
        ("[]", "must be a table"),
        ("{", "is not JSON"),
    ],
)
def test_a_wrong_dataset_json_is_refused(root: Path, text: str, message: str) -> None:
    (root / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=message):
        open_folder(root)


def test_a_split_that_is_not_there_is_refused_with_the_nearest(root: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'training'"):
        open_folder(root, classes=11).pairs("trainig")


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.write_text(""), lambda p: p.mkdir()])
def test_what_is_no_data_set_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "x")
    with pytest.raises(DataError, match=r"not a folder|a file, not a folder|has no folder images"):
        check_folder(tmp_path / "x")


def test_the_report_counts_pairs_sizes_and_every_pixel(root: Path) -> None:
    report = check_folder(root, classes=11)
    labels = [render(0, "training", index, 64)[1] for index in range(4)]
    expected = np.bincount(np.stack(labels).ravel(), minlength=12)
    assert report.pixels["training"] == tuple(expected[1:])
    assert report.ignored["training"] == expected[0]
    assert report.decoded == {"training": 4, "validation": 2}
    assert report.sizes == {(64, 64): 6}


def test_classes_are_inferred_from_the_highest_label(root: Path) -> None:
    store(np.full((64, 64), 23, np.uint8), root / "annotations/validation/000000.png")
    report = check_folder(root)
    assert (report.inferred, len(report.folder.classes)) == (True, 23)
    assert "23 classes, inferred from the labels" in report.lines()[0]


def test_the_report_is_json_and_text(root: Path) -> None:
    (root / "classes.txt").write_text("\n".join(TOKENWORLD.classes))
    report = check_folder(root)
    data = json.loads(json.dumps(report.to_json()))
    assert data["splits"]["validation"]["pairs"] == 2
    assert sum(data["splits"]["training"]["class_pixels"].values()) == 4 * 64 * 64 - report.ignored["training"]
    (row,) = (line for line in report.lines() if line.startswith("ground"))
    share = 100 * report.pixels["training"][0] / (4 * 64 * 64)
    assert f"{share:.2f}%" in row


def test_a_class_that_a_split_never_shows_is_noted(root: Path) -> None:
    about = {"classes": [*TOKENWORLD.classes, "unicorn"], "ignore": 0}
    (root / "dataset.json").write_text(json.dumps(about))
    report = check_folder(root)
    assert any("training has no pixel of" in note and "unicorn" in note for note in report.notes)


def test_all_problems_come_in_one_message_with_their_files(root: Path) -> None:
    whole = (root / "images/training/000000.jpg").read_bytes()
    (root / "images/training/000000.jpg").write_bytes(whole[: len(whole) // 2])
    store(np.ones((64, 32), np.uint8), root / "annotations/training/000001.png")
    store(np.full((64, 64), 200, np.uint8), root / "annotations/training/000002.png")
    (root / "annotations/training/000003.png").unlink()
    (root / "images/validation/000000.jpg").unlink()
    store(np.zeros((64, 64, 3), np.uint8), root / "annotations/validation/000001.png")
    with pytest.raises(DataError) as raised:
        check_folder(root, classes=11)
    message = str(raised.value)
    assert "has 6 problem(s)" in message
    for file, fault in [
        ("images/training/000000.jpg", "cannot be read: image file is truncated"),
        ("annotations/training/000001.png", "is 32 x 64 px, its image"),
        ("annotations/training/000002.png", "has label(s) 200; accepted: 0 to 11, and 255 for ignored"),
        ("images/training/000003.jpg", "has no label image"),
        ("annotations/validation/000000.png", "has no image"),
        ("annotations/validation/000001.png", "must have one channel of 8 bits, got mode RGB"),
    ]:
        assert any(file in line and fault in line for line in message.splitlines()), (file, fault)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\nbroken"])
def test_a_file_that_is_no_image_is_named(root: Path, content: bytes) -> None:
    (root / "annotations/training/000001.png").write_bytes(content)
    with pytest.raises(DataError, match=r"annotations/training/000001.png cannot be read"):
        check_folder(root, classes=11)


def test_a_truncated_label_is_named(root: Path) -> None:
    path = root / "annotations/training/000001.png"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"000001.png cannot be read"):
        check_folder(root, classes=11)


def test_an_empty_split_is_named(root: Path) -> None:
    for kind in ("images", "annotations"):
        (root / kind / "test").mkdir()
    with pytest.raises(DataError, match="split test is empty"):
        check_folder(root, classes=11)


def test_images_that_share_a_name_are_a_problem(root: Path) -> None:
    store(np.zeros((64, 64, 3), np.uint8), root / "images/training/000001.png")
    with pytest.raises(DataError, match=r"000001.png and 000001.jpg share one name"):
        open_folder(root)


def test_decoding_fewer_pairs_says_so_and_spreads_them(root: Path) -> None:
    (root / "images/training/000001.jpg").write_bytes(b"")
    report = check_folder(root, classes=11, decode=2)
    assert report.decoded == {"training": 2, "validation": 2}
    assert "2 of the 4 pairs of training were decoded" in report.notes
    with pytest.raises(DataError, match="decode must be"):
        check_folder(root, decode=-1)


def test_inspect_reports_problems_without_raising(root: Path) -> None:
    (root / "images/training/000001.jpg").write_bytes(b"")
    report = inspect_folder(root, classes=11)
    assert len(report.problems) == 1
    assert any(line.startswith("problem: ") for line in report.lines())


def test_palette_labels_hold_class_numbers(root: Path) -> None:
    label = Image.fromarray(np.full((64, 64), 7, np.uint8)).convert("P")
    label.putdata(np.full(64 * 64, 7).tolist())
    label.save(root / "annotations/validation/000000.png")
    assert check_folder(root, classes=11).pixels["validation"][6] >= 64 * 64


def test_progress_reaches_the_number_of_pairs(root: Path) -> None:
    seen: list[tuple[int, int]] = []
    check_folder(root, classes=11, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 6) for done in range(1, 7)]


def test_a_contact_sheet_shows_the_image_and_the_colours_of_its_classes(root: Path, tmp_path: Path) -> None:
    store(np.full((64, 64, 3), 128, np.uint8), root / "images/validation/000000.png")
    (root / "images/validation/000000.jpg").unlink()
    store(np.full((64, 64), 2, np.uint8), root / "annotations/validation/000000.png")
    about = {"classes": list(TOKENWORLD.classes), "palette": [list(colour) for colour in TOKENWORLD.palette]}
    (root / "dataset.json").write_text(json.dumps(about))
    path = contact_sheet(open_folder(root), 1, tmp_path / "figures/sheet.png")
    with Image.open(path) as stored:
        sheet = np.asarray(stored.convert("RGB"), float)
    assert np.allclose(sheet[100, 100], 128, atol=1)
    assert np.allclose(sheet[100, 400], 0.65 * np.array(TOKENWORLD.palette[1]) + 0.35 * 128, atol=1)


def test_a_contact_sheet_of_a_data_set_without_palette_has_as_many_colours_as_classes(
    root: Path, tmp_path: Path
) -> None:
    path = contact_sheet(open_folder(root, classes=150), 3, tmp_path / "sheet.png", split="training")
    with Image.open(path) as sheet:
        assert sheet.width > sheet.height > 0


def test_a_contact_sheet_needs_a_pair_and_a_place(root: Path, tmp_path: Path) -> None:
    folder = open_folder(root, classes=11)
    with pytest.raises(DataError, match="n must be at least 1, got 0"):
        contact_sheet(folder, 0, tmp_path / "sheet.png")
    (tmp_path / "blocked").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        contact_sheet(folder, 1, tmp_path / "blocked" / "sheet.png")


@pytest.mark.parametrize("classes", [0, 1, 300, ["a", "a"], ["a"], "road", [1, 2]])
def test_impossible_classes_are_refused(root: Path, classes: Any) -> None:
    with pytest.raises(DataError, match="classes must be"):
        open_folder(root, classes=classes)


@pytest.mark.parametrize("name", ["dataset.json", "classes.txt"])
def test_a_description_that_is_no_file_is_not_passed_over(root: Path, name: str) -> None:
    os.mkfifo(root / name)
    with pytest.raises(DataError, match=f"{name}: it is a pipe"):
        open_folder(root)


def test_a_list_of_too_many_classes_is_not_shown_whole(root: Path) -> None:
    (root / "dataset.json").write_text(json.dumps({"classes": [f"class {number}" for number in range(300)]}))
    with pytest.raises(DataError, match=r"at most 254 names, or their number, got .'class 0'") as caught:
        open_folder(root)
    assert len(str(caught.value)) < 1000

"""The conversions against mmsegmentation's own converters, other facts, and what may go wrong."""

import ast
import json
import os
from pathlib import Path

import mmseg
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from experiments.cli import main
from experiments.data.conversion import tables as convert_tables
from experiments.data.conversion.convert import CONVERSIONS, convert
from experiments.data.conversion.read import decode_runs, read_detail, read_mat
from experiments.data.folders import open_folder
from experiments.data.images import read_label
from tests.experiments_tests.data.miniature_sets import (
    CONTEXT_SOME,
    HEIGHT,
    MAKERS,
    TRAIN,
    VAL,
    WIDTH,
    blocks,
    encode_runs,
)
from topformer.errors import DataError
from topformer.mmseg import classes_of

CONVERTERS = Path(mmseg.__file__).parent / ".mim" / "tools" / "dataset_converters"


def value_in(file: str, name: str) -> ast.expr:
    """What a converter of mmsegmentation assigns to a name, not run."""
    for node in ast.parse((CONVERTERS / file).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value
    raise AssertionError(f"{file} has no {name}")


@pytest.mark.parametrize(
    ("file", "table"),
    [
        ("coco_stuff10k.py", convert_tables.COCO_STUFF_10K),
        ("coco_stuff164k.py", convert_tables.COCO_STUFF_164K),
    ],
)
def test_coco_stuff_is_numbered_as_by_mmsegmentation(file: str, table: dict[int, int]) -> None:
    assert dict(table) == ast.literal_eval(value_in(file, "clsID_to_trID"))


def test_pascal_context_is_numbered_as_by_mmsegmentation() -> None:
    (call,) = (node for node in ast.walk(value_in("pascal_context.py", "_mapping")) if isinstance(node, ast.List))
    theirs = {label: number for number, label in enumerate(sorted(ast.literal_eval(call)))}
    assert dict(convert_tables.CONTEXT_MERGED) == theirs


@pytest.mark.parametrize(
    ("label", "name"),
    # Numbers and names of the label list of github.com/nightrome/cocostuff.
    [
        (1, "person"),
        (11, "fire hydrant"),
        (13, "stop sign"),
        (44, "bottle"),
        (90, "toothbrush"),
        (92, "banner"),
        (106, "clouds"),
        (124, "grass"),
        (157, "sky-other"),
        (182, "wood"),
    ],
)
def test_coco_stuffs_labels_have_the_names_of_mmsegmentations_classes(label: int, name: str) -> None:
    classes, _ = classes_of("COCOStuffDataset")
    assert classes[convert_tables.COCO_STUFF_10K[label] - 1] == name
    assert classes[convert_tables.COCO_STUFF_164K[label - 1]] == name


def test_coco_stuff_has_171_classes_without_gaps() -> None:
    assert sorted(set(convert_tables.COCO_STUFF_10K.values())) == list(range(172))
    assert sorted(set(convert_tables.COCO_STUFF_164K.values())) == [*range(171), 255]


@pytest.mark.parametrize(
    ("label", "name"),
    [(0, "background"), (2, "aeroplane"), (9, "bag"), (189, "ground"), (284, "person"), (458, "wood")],
)
def test_pascal_contexts_labels_have_the_names_of_mmsegmentations_classes(label: int, name: str) -> None:
    classes, _ = classes_of("PascalContextDataset")
    assert classes[convert_tables.CONTEXT_MERGED[label]] == name
    assert classes[convert_tables.CONTEXT_ALL[label]] == name


def test_what_is_none_of_the_59_is_background() -> None:
    assert len(convert_tables.CONTEXT_ALL) == 460
    assert sum(number > 0 for number in convert_tables.CONTEXT_ALL.values()) == 59
    assert convert_tables.CONTEXT_ALL[3] == 0


@pytest.mark.parametrize(
    ("label", "name"),
    # labels.py of github.com/mcordts/cityscapesScripts.
    [(7, "road"), (11, "building"), (17, "pole"), (19, "traffic light"), (23, "sky"), (26, "car"), (33, "bicycle")],
)
def test_cityscapes_labels_have_the_names_of_mmsegmentations_classes(label: int, name: str) -> None:
    classes, _ = classes_of("CityscapesDataset")
    assert classes[convert_tables.CITYSCAPES[label]] == name


def test_cityscapes_other_labels_are_ignored() -> None:
    ignored = {label for label, number in convert_tables.CITYSCAPES.items() if number == 255}
    assert ignored == {0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 255}


def test_camvids_void_is_ignored_and_the_test_split_is_left_alone(tmp_path: Path) -> None:
    MAKERS["camvid"](tmp_path / "source")
    convert("camvid", tmp_path / "source", tmp_path / "out")
    folder = open_folder(tmp_path / "out")
    assert (folder.name, folder.classes[0], folder.classes[-1]) == ("camvid", "sky", "bicyclist")
    pair = folder.pairs("training")[1]
    original = read_label(tmp_path / "source" / "trainannot" / pair.label.name)
    assert np.array_equal(folder.read(pair)[1], np.where(original == 11, 255, original))
    assert sum(len(pairs) for pairs in folder.splits.values()) == TRAIN + VAL


# What is written


def test_coco_stuff_10ks_matlab_files_become_train_ids(tmp_path: Path) -> None:
    MAKERS["coco-stuff-10k"](tmp_path / "from")
    done = convert("coco-stuff-10k", tmp_path / "from", tmp_path / "to")
    assert (done.made, done.kept) == (TRAIN + VAL, 0)
    name = "COCO_train2014_000000005001"
    old = read_mat(tmp_path / f"from/annotations/{name}.mat", "S")
    new = read_label(tmp_path / f"to/annotations/train2014/{name}_labelTrainIds.png")
    assert new.shape == (HEIGHT, WIDTH)
    assert new[old == 13].tolist() == [12] * int((old == 13).sum())
    assert set(new.ravel().tolist()) == {convert_tables.COCO_STUFF_10K[v] for v in set(old.ravel().tolist())}
    image = tmp_path / f"to/images/train2014/{name}.jpg"
    assert image.read_bytes() == (tmp_path / f"from/images/{name}.jpg").read_bytes()


@pytest.mark.parametrize(("kind", "extra"), [("pascal-context-59", ()), ("pascal-context-60", (3,))])
def test_pascal_contexts_json_and_matlab_files_become_the_same_kind_of_labels(
    kind: str, extra: tuple[int, ...], tmp_path: Path
) -> None:
    MAKERS[kind](tmp_path / "from")
    convert("pascal-context", tmp_path / "from", tmp_path / "to")
    number = 2008000003 if kind == "pascal-context-59" else 3
    expected = np.vectorize(convert_tables.CONTEXT_ALL.get)(blocks((*CONTEXT_SOME, *extra), number))
    assert np.array_equal(read_label(tmp_path / "to/SegmentationClassContext/2008_000003.png"), expected)
    lists = tmp_path / "to/ImageSets/SegmentationContext"
    assert lists.joinpath("train.txt").read_text() == "2008_000002\n2008_000003\n2008_000004\n"
    assert lists.joinpath("val.txt").read_text() == "2010_000001\n2010_000002\n"


def test_cityscapes_labels_lie_beside_their_source_and_nothing_else_is_touched(tmp_path: Path) -> None:
    MAKERS["cityscapes"](tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    convert("cityscapes", tmp_path, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before.keys()
    assert all(path.name.endswith("_gtFine_labelTrainIds.png") for path in new)
    assert len(new) == TRAIN + VAL


def test_a_stopped_conversion_goes_on(tmp_path: Path) -> None:
    MAKERS["coco-stuff-164k"](tmp_path)

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert("coco-stuff-164k", tmp_path, tmp_path, workers=1, progress=stop)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*_labelTrainIds.png")}
    assert 2 <= len(made) <= TRAIN + VAL
    seen: list[tuple[int, int]] = []
    done = convert("coco-stuff-164k", tmp_path, tmp_path, progress=lambda n, total: seen.append((n, total)))
    assert (done.made, done.kept) == (TRAIN + VAL - len(made), len(made))
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert all(total == TRAIN + VAL for _, total in seen)
    assert convert("coco-stuff-164k", tmp_path, tmp_path).made == 0


def test_a_label_that_a_power_cut_left_empty_is_made_again(tmp_path: Path) -> None:
    MAKERS["coco-stuff-164k"](tmp_path)
    convert("coco-stuff-164k", tmp_path, tmp_path)
    label = tmp_path / "annotations/val2017/000000000009_labelTrainIds.png"
    whole = label.read_bytes()
    label.write_bytes(b"")
    assert convert("coco-stuff-164k", tmp_path, tmp_path).made == 1
    assert label.read_bytes() == whole


def test_no_half_written_label_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MAKERS["coco-stuff-164k"](tmp_path)

    def fail(self: Image.Image, path: Path, **_: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "save", fail)
        assert main(["data", "convert", "coco-stuff-164k", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert not list(tmp_path.rglob("*labelTrainIds*"))


def test_images_are_copied_where_they_cannot_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("another device")

    monkeypatch.setattr(os, "link", refuse)
    MAKERS["coco-stuff-164k"](tmp_path / "from")
    convert("coco-stuff-164k", tmp_path / "from", tmp_path / "to")
    copied = tmp_path / "to/images/val2017/000000000009.jpg"
    assert copied.read_bytes() == (tmp_path / "from/images/val2017/000000000009.jpg").read_bytes()


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MAKERS["cityscapes"](tmp_path)
    arguments = ["data", "convert", "cityscapes", str(tmp_path), "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{tmp_path}: {TRAIN + VAL} label files made, 0 were there\n"
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"out": str(tmp_path), "made": 0, "kept": TRAIN + VAL}


# What is refused


def test_all_missing_files_come_in_one_message_before_anything_is_written(tmp_path: Path) -> None:
    MAKERS["coco-stuff-10k"](tmp_path)
    (tmp_path / "annotations/COCO_train2014_000000005001.mat").unlink()
    (tmp_path / "images/COCO_train2014_000000004001.jpg").unlink()
    with pytest.raises(DataError, match=r"lacks 2 file\(s\):\n.*5001.mat\n.*4001.jpg"):
        convert("coco-stuff-10k", tmp_path, tmp_path)
    assert not (tmp_path / "annotations/train2014").exists()


@pytest.mark.parametrize("name", CONVERSIONS)
def test_a_folder_without_originals_is_answered_with_the_downloads(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="these downloads give a folder such as"):
        convert(name, tmp_path, tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        convert(name, tmp_path / "nowhere", tmp_path)


def test_a_label_outside_the_table_is_named_with_its_file(tmp_path: Path) -> None:
    MAKERS["coco-stuff-164k"](tmp_path)
    path = tmp_path / "annotations/train2017/000000000010.png"
    Image.fromarray(np.full((HEIGHT, WIDTH), 11, np.uint8)).save(path)
    with pytest.raises(DataError, match=r"000000000010.png has label\(s\) 11; accepted: 0-10, 12-24, 26-27, "):
        convert("coco-stuff-164k", tmp_path, tmp_path)


@pytest.mark.parametrize("content", [b"", b"no MATLAB file", b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_a_broken_matlab_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mat cannot be read as a MATLAB file"):
        read_mat(tmp_path / "a.mat", "S")


def test_a_cut_off_matlab_file_is_named(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"S": blocks(range(150), 0).astype(np.uint16)}, do_compression=True)
    (tmp_path / "a.mat").write_bytes((tmp_path / "a.mat").read_bytes()[:200])
    with pytest.raises(DataError, match=r"a\.mat cannot be read as a MATLAB file"):
        read_mat(tmp_path / "a.mat", "S")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"T": np.zeros((2, 2))}, "has no S"),
        ({"S": np.zeros((2, 2, 2))}, "S must be a map of whole numbers"),
        ({"S": np.full((2, 2), 0.5)}, "S must be a map of whole numbers"),
        ({"S": np.full((2, 2), -1, np.int16)}, "S must be a map of whole numbers"),
    ],
)
def test_a_matlab_file_with_other_content_is_refused(
    content: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    savemat(tmp_path / "a.mat", content)
    with pytest.raises(DataError, match=message):
        read_mat(tmp_path / "a.mat", "S")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is no annotation file of PASCAL in Detail"),
        ('{"images": [], "annos_segmentation": [{"image_id": 1}]}', "missing or wrong: 'category_id'"),
    ],
)
def test_another_json_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "trainval_merged.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_detail(tmp_path / "trainval_merged.json")


def test_a_region_that_does_not_fill_the_image_is_refused(tmp_path: Path) -> None:
    MAKERS["pascal-context-59"](tmp_path)
    path = tmp_path / "trainval_merged.json"
    content = json.loads(path.read_text())
    content["annos_segmentation"][0]["segmentation"]["counts"] = "5"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"a region of 2008_000002 does not have the image's 80 x 64 px"):
        convert("pascal-context", tmp_path, tmp_path)


def test_workers_must_be_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="workers must be at least 1, got 0"):
        convert("cityscapes", tmp_path, tmp_path, workers=0)


# Compressed masks, as pycocotools 2.0.11 encodes them


def test_a_small_mask_of_pycocotools_is_decoded() -> None:
    mask = np.zeros((6, 5), int)
    mask[1:4, 2:5] = 1
    mask[0, 0] = 1
    runs = decode_runs("01<2G000O")
    assert runs == [0, 1, 12, 3, 3, 3, 3, 3, 2]
    assert np.array_equal(np.repeat(np.arange(len(runs)) % 2, runs).reshape((6, 5), order="F"), mask)


def test_long_runs_and_differences_of_pycocotools_are_decoded() -> None:
    # Rows 20-149 and columns 40-299 of 200 x 333 px, without rows 60-89 and columns 100-179.
    text = "dj7R4V2" + "0" * 118 + "VMhNd0X1" + r"\OhNd0X1" * 79 + "V2" + "0" * 238 + "d]6"
    runs = decode_runs(text)
    assert sum(runs) == 200 * 333
    assert sum(runs[1::2]) == 31400


def test_masks_go_there_and_back() -> None:
    mask = np.random.default_rng(0).random((40, 30)) > 0.5
    runs = decode_runs(encode_runs(mask))
    assert np.array_equal(np.repeat(np.arange(len(runs)) % 2, runs).reshape(mask.shape, order="F"), mask)

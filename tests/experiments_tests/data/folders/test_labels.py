"""What labels mean, and what every command refuses before it trains or scores."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.cli import main
from experiments.data.folders import Labelling, check_folder, check_ready, inspect_folder, open_folder
from experiments.evaluators import evaluator
from topformer.errors import DataError


def store(root: Path, training: Sequence[int], validation: Sequence[int] | None = None, **about: object) -> Path:
    """One pair of 8 x 8 px in each split, with stripes of these labels."""
    for split, values in (("training", training), ("validation", training if validation is None else validation)):
        for kind in ("images", "annotations"):
            (root / kind / split).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / "images" / split / "a.png")
        label = np.resize(np.array(values, np.uint8), (8, 8))
        Image.fromarray(label).save(root / "annotations" / split / "a.png")
    if about:
        (root / "dataset.json").write_text(json.dumps(about))
    return root


def problem(root: Path) -> str:
    """The only problem of a folder."""
    (found,) = inspect_folder(root).problems
    return found


AB = ["road", "sky"]


@pytest.mark.parametrize(
    ("ignore", "stored", "expected"),
    [(0, [0, 1, 2, 255], [255, 0, 1, 255]), (255, [0, 1, 1, 255], [0, 1, 1, 255])],
)
def test_labels_become_numbers_from_0(ignore: int, stored: list[int], expected: list[int]) -> None:
    found = Labelling(2, ignore).targets(np.array(stored, np.uint8), Path("a.png"))
    assert found.tolist() == expected
    assert found.dtype == np.uint8


@pytest.mark.parametrize(("ignore", "last"), [(0, 2), (255, 1)])
def test_labels_beyond_the_classes_are_named_with_their_file(ignore: int, last: int) -> None:
    stored = np.array([0, 254, 1, last + 1, 255], np.uint8)
    with pytest.raises(DataError, match=rf"^a.png has label\(s\) {last + 1}, 254; accepted: 0 to {last}, and 255 for"):
        Labelling(2, ignore).targets(stored, Path("a.png"))


def test_the_check_prints_how_much_is_ignored(tmp_path: Path) -> None:
    lines = check_folder(store(tmp_path, [0, 1, 2, 255], [1, 2], classes=AB)).lines()
    (row,) = (line for line in lines if line.startswith("ignored"))
    assert row.split() == ["ignored:", "label", "0,", "255", "50.00%", "0.00%"]


def test_labels_numbered_from_0_are_a_problem_with_its_cure(tmp_path: Path) -> None:
    found = problem(store(tmp_path / "a", [0, 1, 2], classes=["road", "sky", "tree"]))
    assert "the last class, tree, which is label 3, never occurs: the labels seem to be numbered from 0" in found
    (cure,) = re.findall(r"\{.*?\}", found)
    assert cure == '{"classes": ["road", "sky", ...], "ignore": 255}'
    # As the cure says, either way.
    check_folder(store(tmp_path / "b", [0, 1, 2], classes=["road", "sky", "tree"], ignore=255))
    check_folder(store(tmp_path / "c", [0, 1, 2], classes=["road", "sky", "tree"], ignore=0))


@pytest.mark.parametrize("values", [[0, 255], [0], [255]])
def test_a_split_without_a_labelled_pixel_is_a_problem(tmp_path: Path, values: list[int]) -> None:
    found = problem(store(tmp_path, [1, 2], values, classes=AB))
    assert found.startswith(
        "split validation has no labelled pixel: 0 and 255 are ignored, and nothing else occurs; if"
    )


def test_one_class_that_is_left_is_a_problem(tmp_path: Path) -> None:
    found = problem(store(tmp_path / "a", [0, 1], classes=AB))
    assert found.startswith("only one class, road, occurs where 0 and 255 are ignored: with one class every labelled")
    assert '"ignore": 255} in dataset.json' in found
    # Nothing names the classes of a mask of 0 and 1.
    assert problem(store(tmp_path / "b", [0, 1])).startswith("only one class, class-0, occurs")


def test_what_a_few_labels_leave_out_is_no_problem_of_all(tmp_path: Path) -> None:
    root = store(tmp_path, [0, 1], classes=AB)
    assert inspect_folder(root, decode=0).problems == ()


def commands(root: Path, out: Path) -> list[list[str]]:
    nano = ["--data", str(root), "--design", "nano", "--size", "64", "--iterations", "2", "--batch", "2"]
    loops = [["--workers", "0"], ["--loop", "lean", "--device", "cpu"]]
    return [["train", *nano, *loop, "--out", str(out / str(i))] for i, loop in enumerate(loops)]


@pytest.mark.parametrize(
    ("training", "validation", "classes", "said"),
    [
        ([1, 2], [0, 255], ["road", "sky"], "split validation of .* has no labelled pixel: labels 0 and 255 are"),
        ([0, 255], [1, 2], ["road", "sky"], "split training of .* has no labelled pixel: labels 0 and 255 are"),
        ([1], [1], ["road"], "with one class every labelled pixel is right"),
        ([1, 3], [1, 2], ["road", "sky"], r"training/a.png has label\(s\) 3; accepted: 0 to 2"),
        ([1, 2], [3, 1], ["road", "sky"], r"validation/a.png has label\(s\) 3; accepted: 0 to 2"),
    ],
)
def test_every_training_refuses_it_before_it_starts(
    training: list[int],
    validation: list[int],
    classes: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = store(tmp_path / "data", training, validation, classes=classes)
    for command in commands(root, tmp_path):
        assert main(command) == 2
        assert re.search(said, capsys.readouterr().err)
    for kind in ("lean", "mmseg"):
        with pytest.raises(DataError, match=said):
            evaluator(kind, root)


def test_a_score_asks_for_its_own_split_only(tmp_path: Path) -> None:
    folder = open_folder(store(tmp_path, [0], [1, 2], classes=AB))
    check_ready(folder, ["validation"])
    with pytest.raises(DataError, match=r"split training of .* has no labelled pixel"):
        check_ready(folder)

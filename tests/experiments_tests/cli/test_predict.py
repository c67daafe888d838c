"""`topformer predict`: nothing of the user's is written over, and one broken image does not end the rest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.cli import main
from experiments.data.drawings import check_place, write_drawing
from experiments.training.tensors import write_tensors
from topformer.errors import DataError, StorageError
from topformer.network import TopFormer
from topformer.presets import NANO


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.manual_seed(0)
    write_tensors(path, TopFormer(replace(NANO, num_classes=3)).state_dict())
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for number, name in enumerate(("a.png", "b.jpg", "c.png")):
        Image.new("RGB", (64, 48), (40 * number, 9, 9)).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def predict(weights: Path, *words: Path | str, out: Path, classes: int = 3) -> int:
    options = ("--design", "nano", "--size", "64", "--classes", str(classes), "--out", str(out))
    return main(["predict", str(weights), *map(str, words), *options])


def test_a_drawing_is_made_again_by_the_same_command(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert predict(weights, photos, out=tmp_path / "seen") == 0
        assert capsys.readouterr().out.split() == [str(tmp_path / "seen" / f"{name}.png") for name in "abc"]


@pytest.mark.parametrize("drawn_before", [False, True])
def test_an_input_is_never_an_output(
    weights: Path, photos: Path, tmp_path: Path, drawn_before: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if drawn_before:
        assert predict(weights, photos, out=tmp_path / "seen") == 0
        photos = tmp_path / "seen"
    before = {path: path.read_bytes() for path in photos.iterdir()}
    assert predict(weights, photos, out=photos) == 2
    assert f"{photos / 'a.png'} is an input and would be written over" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in photos.iterdir()} == before


@pytest.mark.parametrize("content", [b"", b"text", None], ids=["empty", "text", "picture"])
def test_a_file_that_is_no_drawing_is_left_alone(
    weights: Path, photos: Path, tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "seen" / "b.png"
    mine.parent.mkdir()
    if content is None:
        Image.new("RGB", (8, 8)).save(mine)
    else:
        mine.write_bytes(content)
    before = mine.read_bytes()
    assert predict(weights, photos, out=mine.parent) == 2
    assert f"{mine} is there already and no drawing of topformer predict" in capsys.readouterr().err
    assert [(path, path.read_bytes()) for path in mine.parent.iterdir()] == [(mine, before)]


def test_the_output_must_be_a_folder(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "seen").write_text("")
    assert predict(weights, photos, out=tmp_path / "seen") == 2
    assert "seen must be a folder, and a file is there" in capsys.readouterr().err


def test_a_broken_image_is_named_and_the_others_are_drawn(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "b.jpg").write_bytes(b"torn")
    Image.new("RGB", (3000, 2)).save(photos / "d.png")
    assert predict(weights, photos, out=tmp_path / "seen") == 1
    shown = capsys.readouterr()
    assert [Path(line).stem for line in shown.out.split()] == ["a", "c"]
    assert shown.err.splitlines()[0].startswith(f"topformer: {photos / 'b.jpg'} cannot be read: ")
    assert shown.err.splitlines()[1].startswith(f"topformer: {photos / 'd.png'} is 3000 x 2 px; accepted: ")
    assert shown.err.splitlines()[2:] == ["topformer: 2 of 4 images were not drawn"]


def test_class_maps_are_written_when_asked(weights: Path, photos: Path, tmp_path: Path) -> None:
    assert predict(weights, photos, "--maps", out=tmp_path / "maps") == 0
    for name in "abc":
        with Image.open(tmp_path / "maps" / f"{name}.png") as found:
            assert (found.mode, found.size) == ("L", (64, 48))
            assert np.asarray(found).max() < 3


def test_one_class_is_refused(weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict(weights, photos, out=tmp_path / "seen", classes=1) == 2
    assert "a prediction needs at least 2 classes, got 1" in capsys.readouterr().err


def test_another_commands_drawing_is_not_ours(tmp_path: Path) -> None:
    write_drawing(Image.new("RGB", (8, 8)), tmp_path / "new" / "a.png", "predict")
    check_place(tmp_path / "new" / "a.png", "predict")
    with pytest.raises(DataError, match="no drawing of topformer data check"):
        check_place(tmp_path / "new" / "a.png", "data check")
    with pytest.raises(StorageError, match="cannot write"):
        write_drawing(Image.new("RGB", (8, 8)), tmp_path / "new" / "a.png" / "b.png", "predict")


def test_the_contact_sheet_writes_over_no_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("training", "validation"):
        for kind, mode in (("images", "RGB"), ("annotations", "L")):
            (tmp_path / kind / split).mkdir(parents=True)
            picture = Image.fromarray(np.resize(np.array([1, 2], np.uint8), (8, 8))).convert(mode)
            picture.save(tmp_path / kind / split / "a.png")
    mine = tmp_path / "images" / "training" / "a.png"
    before = mine.read_bytes()
    assert main(["data", "check", str(tmp_path), "--sheet", str(mine)]) == 2
    assert "is there already and no drawing of topformer data check" in capsys.readouterr().err
    assert mine.read_bytes() == before
    for _ in range(2):
        assert main(["data", "check", str(tmp_path), "--sheet", str(tmp_path / "sheet.png")]) == 0

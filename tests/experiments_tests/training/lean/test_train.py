"""A recipe trained with the lean loop: its numbers, its files, and going on."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.lean.train import check_lean
from experiments.training.recipes import RECIPES, recipe, with_size
from experiments.training.schedule import learning_rate_factor
from experiments.training.settings import Machine
from experiments.training.train import train
from topformer.errors import StorageError, StudyError
from topformer.network import TopFormer
from topformer.presets import NANO

RECIPE = replace(with_size(recipe("ade20k-160k"), 64, 64), iterations=6, batch=4, validations=2)
CPU = Machine(device="cpu", checkpoint_every=2)
train_lean = partial(train, "lean")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=8, validation=3)


def test_an_interrupted_training_goes_on_and_gives_the_same_bits(data: Path, tmp_path: Path) -> None:
    folder = open_folder(data)

    def stop(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    whole = train_lean(NANO, RECIPE, folder, tmp_path / "whole", machine=CPU)
    with pytest.raises(KeyboardInterrupt):
        train_lean(NANO, RECIPE, folder, tmp_path / "parts", machine=CPU, progress=stop)
    done: list[int] = []
    parts = train_lean(
        NANO, RECIPE, folder, tmp_path / "parts", machine=CPU, progress=lambda iteration, _: done.append(iteration)
    )
    assert done == [5, 6]
    assert parts == whole
    assert whole["loop"] == "lean"
    assert [item["iteration"] for item in whole["validations"]] == [3]
    states = [torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("whole", "parts")]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    TopFormer(NANO).load_state_dict(states[0], strict=True)
    # A finished one answers from its file.
    stored = json.loads((tmp_path / "whole" / "result.json").read_text())
    assert train_lean(NANO, RECIPE, folder, tmp_path / "whole", machine=CPU, progress=stop) == stored


def test_it_starts_from_the_weights_of_a_file_and_goes_on_from_no_other(data: Path, tmp_path: Path) -> None:
    files = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        files.append(tmp_path / f"{seed}.pt")
        torch.save(TopFormer(NANO).state_dict(), files[-1])
    slow = replace(RECIPE, learning_rate=1e-9, iterations=1, warmup=0)
    begin = partial(train_lean, NANO, slow, open_folder(data), tmp_path / "run", machine=CPU)
    begin(checkpoint=files[0])
    began, ended = (torch.load(path, weights_only=True) for path in (files[0], tmp_path / "run" / "weights.pt"))
    assert torch.allclose(began["head.fuse.conv.weight"], ended["head.fuse.conv.weight"], atol=1e-6)
    assert json.loads((tmp_path / "run" / "start.json").read_text())["new"] == []
    with pytest.raises(StudyError, match=r"holds another training: start is \"\w+\" there and \"\w+\" here"):
        begin(checkpoint=files[1])


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_released_recipe_is_one_that_the_loop_trains(name: str) -> None:
    check_lean(recipe(name))
    assert learning_rate_factor(0, iterations=10, warmup=2, power=1.0) == recipe(name).warmup_factor


def test_what_the_loop_does_not_do_is_refused() -> None:
    with pytest.raises(StudyError, match=r"the lean loop trains with least_rate 0.0, got 1e-06; use --loop mmseg"):
        check_lean(replace(RECIPE, least_rate=1e-6))


def test_several_processes_are_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(StudyError, match="trains on one device, got 2 processes"):
        train_lean(NANO, RECIPE, open_folder(data), tmp_path)


def test_the_command_trains_and_leaves_weights_that_the_next_command_scores(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("--data", str(data), "--design", "nano", "--size", "64")
    lean = ("--loop", "lean", "--device", "cpu", "--loss-stride", "2", "--cache", str(tmp_path / "cache"))
    assert main(["train", *common, *lean, "--iterations", "2", "--batch", "4", "--out", str(tmp_path / "run")]) == 0
    assert "mIoU" in capsys.readouterr().out
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert main(["evaluate", str(tmp_path / "run" / "weights.pt"), *common, "--json"]) == 0
    # OpenCV and Pillow may decode a JPEG differently by one grey level.
    assert json.loads(capsys.readouterr().out)["miou"] == pytest.approx(result["miou"], abs=0.5)


def test_the_command_says_that_the_loop_has_no_configuration(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", str(data), "--design", "nano", "--loop", "lean", "--print-config"]) != 0
    assert "--loop lean has none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--loop", "lean", "--workers", "2"), "--workers 2 needs --loop mmseg, got --loop lean"),
        (("--loss-stride", "1"), "--loss-stride 1 needs --loop lean, got --loop mmseg"),
        (("--device", "cpu", "--print-config"), "--device cpu needs --loop lean, got --loop mmseg"),
        (("--from-design", "base"), "got base without a --checkpoint"),
        (
            ("--checkpoint", "weights.pt", "--from-design", "base", "--print-config"),
            "weights, got --print-config and --from-design base",
        ),
    ],
)
def test_an_argument_that_would_do_nothing_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    common = ("--data", str(data), "--design", "nano", "--size", "64", "--out", str(tmp_path / "run"))
    assert main(["train", *common, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="device cuda needs a CUDA device; accepted here: cpu"):
        train_lean(NANO, RECIPE, open_folder(data), tmp_path, machine=Machine(device="cuda"))


def test_a_checkpoint_that_lacks_something_says_what_to_do(data: Path, tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_lean(NANO, RECIPE, open_folder(data), tmp_path, machine=CPU, progress=stop)
    torch.save({"iteration": 2}, tmp_path / "checkpoint.pt")
    with pytest.raises(StorageError, match=r"checkpoint.pt cannot be read, remove it to start again: 'model'"):
        train_lean(NANO, RECIPE, open_folder(data), tmp_path, machine=CPU)


def test_a_damaged_checkpoint_is_noted_and_computed_anew(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def stop(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    whole = train_lean(NANO, RECIPE, open_folder(data), tmp_path / "whole", machine=CPU)
    with pytest.raises(KeyboardInterrupt):
        train_lean(NANO, RECIPE, open_folder(data), tmp_path / "parts", machine=CPU, progress=stop)
    path = tmp_path / "parts" / "checkpoint.pt"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(byte ^ 1 for byte in content[middle : middle + 400])
    path.write_bytes(content)
    assert train_lean(NANO, RECIPE, open_folder(data), tmp_path / "parts", machine=CPU) == whole
    assert "checkpoint.pt is damaged" in caplog.text
    assert "computed anew" in caplog.text


def test_a_network_of_other_classes_is_gone_on_from_but_for_its_classifier(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(TopFormer(replace(NANO, num_classes=7)).state_dict(), tmp_path / "seven.pt")
    common = ["--data", str(data), "--design", "nano", "--size", "64", "--loop", "lean", "--device", "cpu"]
    common += ["--iterations", "1", "--batch", "2", "--checkpoint", str(tmp_path / "seven.pt")]
    assert main(["train", *common, "--out", str(tmp_path / "run")]) == 2
    assert "--skip-classifier" in capsys.readouterr().err
    assert main(["train", *common, "--out", str(tmp_path / "run"), "--skip-classifier"]) == 0
    assert "the classifier is new, as --skip-classifier asks" in capsys.readouterr().out
    new = json.loads((tmp_path / "run" / "start.json").read_text())["new"]
    assert new == ["head.classifier.weight", "head.classifier.bias"]

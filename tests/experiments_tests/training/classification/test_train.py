"""Pre-training on a miniature of ImageNet's layout: learned, resumed, handed to segmentation; and what is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from experiments.data.image_folder import open_class_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.classification.recipes import pretrain_recipe
from experiments.training.classification.train import pretrain
from experiments.training.weights import starting_weights
from tests.experiments_tests.training.classification.class_images import write_images
from topformer.codec import to_json
from topformer.design import Extractor
from topformer.errors import EvaluationError, StudyError
from topformer.presets import NANO

MINI = replace(NANO, blocks=NANO.blocks[:1])
RECIPE = replace(
    pretrain_recipe("adamw-300", epochs=4, batch=12, size=32, rate=0.01), warmup_epochs=1, erase=0.2, scales=(0.5, 1.0)
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("classes") / "mini"
    write_images(root, "train", 16)
    write_images(root, "val", 4)
    return root


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    pretrain(MINI, RECIPE, open_class_folder(data), out, workers=0)
    return out


def weights(out: Path) -> dict[str, dict[str, torch.Tensor]]:
    found: dict[str, dict[str, torch.Tensor]] = torch.load(out / "weights.pt", weights_only=True)
    return found


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_training_lifts_top1_far_above_chance(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    assert [line["epoch"] for line in result["history"]] == [1, 2, 3, 4]
    assert result["top1"] >= 75 > 100 / 3
    assert result["top5"] == 100
    assert result["top1"] == result["history"][-1]["top1"]


def test_a_training_that_was_stopped_ends_in_the_same_bits(data: Path, run: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    folder = open_class_folder(data)
    with pytest.raises(KeyboardInterrupt):
        pretrain(MINI, RECIPE, folder, tmp_path, workers=0, checkpoint_every=5, progress=stop)
    done: list[int] = []
    pretrain(MINI, RECIPE, folder, tmp_path, workers=0, progress=lambda update, _: done.append(update))
    assert done[0] == 6
    assert all(same(weights(tmp_path)[kind], weights(run)[kind]) for kind in ("state_dict", "state_dict_ema"))
    assert json.loads((tmp_path / "result.json").read_text()) == json.loads((run / "result.json").read_text())


def test_a_finished_training_is_not_run_again(data: Path, run: Path) -> None:
    done: list[int] = []
    before = json.loads((run / "result.json").read_text())
    again = pretrain(MINI, RECIPE, open_class_folder(data), run, workers=0, progress=lambda n, _: done.append(n))
    assert not done
    assert again["top1_ema"] == before["top1_ema"]


def test_a_folder_of_another_training_is_refused(data: Path, run: Path) -> None:
    other = replace(RECIPE, label_smoothing=0.2)
    with pytest.raises(StudyError, match=r"recipe.label_smoothing is 0.1 there and 0.2 here; choose another --out"):
        pretrain(MINI, other, open_class_folder(data), run, workers=0)


def test_the_averaged_weights_start_a_segmentation_network(run: Path) -> None:
    state, start = starting_weights(run / "weights.pt", MINI, MINI, seed=0)
    averaged = weights(run)["state_dict_ema"]
    stem = "backbone.pyramid.stem.conv.weight"
    assert torch.equal(state[stem], averaged["tpm.stem.0.c.weight"])
    assert not torch.equal(state[stem], weights(run)["state_dict"]["tpm.stem.0.c.weight"])
    assert set(start.new) == {name for name in state if name.startswith(("head.", "backbone.injection."))}
    assert set(start.inherited) == set(state) - set(start.new)
    assert not start.sliced


def test_a_narrower_neighbour_inherits_slices(run: Path) -> None:
    narrower = replace(MINI, rows=(replace(MINI.rows[0], channels=8), *MINI.rows[1:]))
    state, start = starting_weights(run / "weights.pt", MINI, narrower, seed=0)
    averaged = weights(run)["state_dict_ema"]
    name = "backbone.pyramid.rows.0.project.conv.weight"
    assert name in start.sliced
    assert torch.equal(state[name], averaged["tpm.layer1.conv.4.c.weight"][:8])


def test_a_design_that_was_never_released_keeps_our_names_and_loads(data: Path, tmp_path: Path) -> None:
    design = replace(MINI, extractor=Extractor.PPM)
    pretrain(design, replace(RECIPE, epochs=1), open_class_folder(data), tmp_path, workers=0)
    averaged = weights(tmp_path)["state_dict_ema"]
    state, start = starting_weights(tmp_path / "weights.pt", design, design, seed=0)
    assert all(torch.equal(state[name], value) for name, value in averaged.items() if name.startswith("backbone."))
    assert len(start.inherited) == sum(name.startswith("backbone.") for name in averaged)


def test_the_command_trains_and_train_tells_what_it_starts_from(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mini.json").write_text(json.dumps(to_json(MINI)))
    (tmp_path / "wide.json").write_text(json.dumps(to_json(replace(MINI, width=MINI.width // 2))))
    given = ["--design", str(tmp_path / "mini.json")]
    sizes = ["--epochs", "1", "--batch", "12", "--size", "32", "--workers", "0"]
    assert main(["pretrain", "--data", str(data), *given, *sizes, "--out", str(tmp_path / "pre")]) == 0
    assert "averaged weights" in capsys.readouterr().out
    images = write_tokenworld(tmp_path / "tiny", size=64, training=4, validation=2)
    names = ["--design", str(tmp_path / "wide.json"), "--from-design", str(tmp_path / "mini.json")]
    start = ["--checkpoint", str(tmp_path / "pre" / "weights.pt"), *names, "--out", str(tmp_path / "seg")]
    sizes = ["--size", "64", "--iterations", "2", "--batch", "2", "--workers", "0"]
    assert main(["train", "--data", str(images), *start, *sizes]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("(all names: start.json)")
    table = {line.split()[0]: line.split()[1:] for line in printed[1:6] if line}
    named = json.loads((tmp_path / "seg" / "start.json").read_text())
    pyramid = [name for name in named["inherited"] if name.startswith("backbone.pyramid.") and "batches" not in name]
    assert table["tensors"] == ["inherited", "sliced", "new"]
    assert table["backbone.pyramid"] == [str(len(pyramid)), "0", "0"]
    assert table["head"][:2] == ["0", "0"]
    assert table["backbone.injection"][:2] == ["0", "0"]


def test_settings_can_be_printed_first(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "run"), "--batch", "8", "--print-config"]
    assert main(["pretrain", "--data", str(data), "--design", "nano", *out]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["data"]["images"] == {"train": 48, "val": 12}
    assert printed["recipe"]["learning_rate"] == pytest.approx(2e-3 * 8 / 1024)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_processes_share_a_batch_and_score_every_image_once(data: Path, tmp_path: Path) -> None:
    arguments = ["pretrain", "--data", str(data), "--design", "nano", "--epochs", "2", "--batch", "12", "--size", "32"]
    command = [sys.executable, "-c", "from experiments.cli import entry; entry()", *arguments]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    rest = ["--learning-rate", "0.01", "--workers", "0", "--device", "cpu", "--out", str(tmp_path)]
    subprocess.run([*torchrun, *command, *rest], check=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"})
    result = json.loads((tmp_path / "result.json").read_text())
    assert len(result["history"]) == 2
    # Of 12 validation images: counted twice, or by one process alone, a share could not be a twelfth.
    assert all(round(result[name] * 12 / 100, 6).is_integer() for name in ("top1", "top1_ema"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "bad"
    write_images(root, "train", 4)
    write_images(root, "val", 1)
    return root


def complaint(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    arguments = ["--design", "nano", "--epochs", "1", "--batch", "4", "--size", "32", "--workers", "0", *more]
    assert main(["pretrain", "--data", str(folder), *arguments, "--out", str(folder / "run")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_an_empty_class_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for image in (folder / "val" / "red").iterdir():
        image.unlink()
    assert "val/red has no image; accepted: .jpg, .jpeg, .png, in any case" in complaint(folder, capsys)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_broken_jpeg(folder: Path, capsys: pytest.CaptureFixture[str], workers: str) -> None:
    broken = folder / "train" / "red" / "2.JPEG"
    broken.write_bytes(broken.read_bytes()[:300])
    assert f"{broken} cannot be read" in complaint(folder, capsys, "--workers", workers)


def test_splits_with_other_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "val" / "red").rename(folder / "val" / "rouge")
    found = complaint(folder, capsys)
    assert "must have the same classes; train/ lacks 1: rouge; val/ lacks 1: red" in found


def test_a_missing_split(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "val").rename(folder / "validation")
    assert "there is no folder val/" in complaint(folder, capsys)


def test_a_batch_larger_than_the_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "batch must be at most the 12 training images" in complaint(folder, capsys, "--batch", "16")


def test_a_loss_that_is_not_finite_names_update_and_files(data: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, warmup_epochs=0, learning_rate=1e20)
    with pytest.raises(
        EvaluationError, match=r"the loss is (nan|inf) at iteration \d+ of 16, on .*\.JPEG.* and 8 more"
    ):
        pretrain(MINI, recipe, open_class_folder(data), tmp_path, workers=0)

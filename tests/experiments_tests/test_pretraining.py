"""Pre-training on a miniature of ImageNet's layout: learned, resumed, handed to segmentation; and what is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.cli import main
from experiments.data.image_folder import TRAIN, open_class_folder
from experiments.data.tokenworld import write_tokenworld
from experiments.training.pretrain import pretrain
from experiments.training.pretrain_augment import OPERATIONS, random_box, training_pixels, validation_pixels
from experiments.training.pretrain_data import Images, TrainingOrder, validation_batches
from experiments.training.pretrain_recipes import RECIPES, Colour, pretrain_recipe
from experiments.training.pretrain_schedule import RMSPropTF, learning_rate
from experiments.training.weights import starting_weights
from topformer.codec import to_json
from topformer.design import Extractor
from topformer.errors import DataError, EvaluationError, StudyError
from topformer.presets import NANO

MINI = replace(NANO, blocks=NANO.blocks[:1])
RECIPE = replace(
    pretrain_recipe("adamw-300", epochs=4, batch=12, size=32, rate=0.01), warmup_epochs=1, erase=0.2, scales=(0.5, 1.0)
)
CLASSES = ("blue", "green", "red")


def write_images(root: Path, split: str, count: int) -> None:
    """Stripes of one colour per class on noise."""
    random = np.random.default_rng([count, len(split)])
    for channel, name in zip((2, 1, 0), CLASSES, strict=True):
        (root / split / name).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 80, (64, 72, 3))
            pixels[:, np.arange(72) // int(random.integers(6, 12)) % 2 == 0, channel] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(root / split / name / f"{i}.JPEG", quality=95)


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
    with pytest.raises(StudyError, match=r"another recipe.label_smoothing: 0.1, not 0.2; choose another --out"):
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


# Data


def test_an_image_is_a_function_of_seed_epoch_and_number(data: Path) -> None:
    examples = open_class_folder(data).splits[TRAIN]

    def drawn(seed: int, epoch: int, number: int) -> Any:
        found = Images(examples, RECIPE, seed=seed, augmented=True)[epoch, number]
        assert not isinstance(found, DataError)
        return found[0]

    assert np.array_equal(drawn(0, 1, 2), drawn(0, 1, 2))
    assert not np.array_equal(drawn(0, 1, 2), drawn(0, 2, 2))
    assert not np.array_equal(drawn(0, 1, 2), drawn(1, 1, 2))


def test_an_epoch_holds_every_image_once_in_an_order_of_its_own() -> None:
    epochs = [
        [number for batch in TrainingOrder(10, 5, seed=0, start=2 * e, stop=2 * e + 2) for _, number in batch]
        for e in (0, 1)
    ]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 2
    assert epochs[0] != epochs[1]


def test_processes_share_each_batch_without_overlap() -> None:
    whole = list(TrainingOrder(20, 6, seed=3, start=0, stop=4))
    parts = [list(TrainingOrder(20, 6, seed=3, start=0, stop=4, rank=rank, world=2)) for rank in (0, 1)]
    for batch, one, other in zip(whole, *parts, strict=True):
        assert len(one) == len(other) == 3
        assert sorted(one + other) == sorted(batch)


def test_workers_give_the_same_batches(data: Path) -> None:
    folder = open_class_folder(data)
    alone = list(validation_batches(folder, RECIPE, size=5, workers=0))
    helped = list(validation_batches(folder, RECIPE, size=5, workers=1))
    assert [len(batch.labels) for batch in alone] == [5, 5, 2]
    assert all(torch.equal(a.images, b.images) and a.files == b.files for a, b in zip(alone, helped, strict=True))


def test_crops_keep_area_and_shape() -> None:
    random = np.random.default_rng(0)
    recipe = replace(RECIPE, scales=(0.08, 1.0))
    boxes = np.array([random_box((500, 375), recipe, random) for _ in range(2000)])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= 500
    assert boxes[:, 3].max() <= 375
    assert 0.078 < (width * height / (500 * 375)).min() < 0.1
    assert 0.74 < (width / height).min() < 0.76
    assert 1.32 < (width / height).max() < 1.35


def test_a_narrow_image_is_cropped_at_its_centre() -> None:
    assert random_box((10, 400), replace(RECIPE, scales=(0.9, 1.0)), np.random.default_rng(0)) == (0, 193.5, 10, 206.5)


def test_validation_takes_the_centre() -> None:
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, 44:84] = 255
    # The shorter side becomes 56 / 0.875 = 64, as it is; columns 36 to 92 are kept.
    found = validation_pixels(Image.fromarray(pixels), replace(RECIPE, size=56, crop_share=0.875))
    assert np.array_equal(found, pixels[4:60, 36:92])


@pytest.mark.parametrize("colour", Colour)
def test_every_colour_treatment_gives_an_image_of_the_size(colour: Colour) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8))
    recipe = replace(RECIPE, colour=colour, erase=1.0)
    assert training_pixels(image, recipe, np.random.default_rng(0)).shape == (32, 32, 3)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_of_randaugment_changes_an_image(name: str) -> None:
    pixels = np.random.default_rng(0).integers(20, 240, (32, 32, 3), dtype=np.uint8)
    changed = OPERATIONS[name](Image.fromarray(pixels), 0.9, 1)
    assert changed.size == (32, 32)
    assert not np.array_equal(np.asarray(changed), pixels)


# Recipes


def test_recipes_are_those_of_their_sources() -> None:
    ours, theirs = RECIPES["adamw-300"], RECIPES["rmsprop-600"]
    assert (ours.epochs, ours.batch, ours.learning_rate, ours.warmup_epochs, ours.least_rate) == (
        300,
        1024,
        2e-3,
        30,
        2e-4,
    )
    assert (ours.weight_decay, ours.drop_path, ours.erase, ours.ema_decay) == (0.01, 0.1, 0.2, 0.9999)
    assert (theirs.epochs, theirs.batch, theirs.learning_rate) == (600, 8 * 128, 0.064)
    assert (theirs.decay_epochs, theirs.decay_rate, theirs.weight_decay) == (2.4, 0.973, 2e-5)
    assert (theirs.dropout, theirs.drop_path, theirs.erase, theirs.scales) == (0.2, 0.1, 0.2, (0.08, 1.0))


def test_the_cosine_rises_and_falls() -> None:
    recipe = RECIPES["adamw-300"]
    assert [learning_rate(recipe, epoch) for epoch in (0, 15, 30, 165, 300)] == pytest.approx(
        [2e-4, 1.1e-3, 2e-3, 1.1e-3, 2e-4]
    )


def test_the_steps_fall_and_are_noisy_late() -> None:
    recipe = RECIPES["rmsprop-600"]
    assert learning_rate(recipe, 3.5) == pytest.approx(0.064 * 0.973)
    assert learning_rate(recipe, 240) == pytest.approx(0.064 * 0.973**100)
    late = [learning_rate(recipe, 252 + i) / (0.064 * 0.973 ** ((252 + i) // 2.4)) for i in range(50)]
    assert 0.33 < min(late) < 0.9
    assert 1.1 < max(late) < 1.67


def test_rmsprop_is_that_of_tensorflow() -> None:
    parameter = torch.nn.Parameter(torch.tensor([[2.0]], dtype=torch.float64))
    optimizer = RMSPropTF([{"params": [parameter], "weight_decay": 0.1}], lr=0.5)
    square, momentum, value = 1.0, 0.0, 2.0
    for gradient in (3.0, -1.0):
        parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step()
        slope = gradient + 0.1 * value
        square = 0.9 * square + 0.1 * slope**2
        momentum = 0.9 * momentum + 0.5 * slope / (square + 1e-3) ** 0.5
        value -= momentum
        assert parameter.item() == pytest.approx(value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be an integer of at least 1, got 0"),
        ({"batch": 1}, "batch must be an integer of at least 2"),
        ({"rate": float("nan")}, "learning_rate must be a number above 0, got nan"),
        ({"size": 16}, "size must be a number of pixels of at least 32, got 16"),
    ],
)
def test_a_recipe_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        pretrain_recipe("adamw-300", **changes)


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(StudyError, match="did you mean 'adamw-300'"):
        pretrain_recipe("adam-300")


# Bad data


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
    assert "val/red has no image; accepted: .jpeg, .jpg, .png" in complaint(folder, capsys)


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
    with pytest.raises(EvaluationError, match=r"the loss is (nan|inf) at update \d+ of 16, on .*\.JPEG.* and 8 more"):
        pretrain(MINI, recipe, open_class_folder(data), tmp_path, workers=0)

"""The lean training loop: exact resuming, its batches, its loss, and what it leaves behind."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators import evaluator
from experiments.evaluators.lean import LeanEvaluator
from experiments.training.lean.batches import Batches, Pixels
from experiments.training.lean.loop import pixel_loss, upsampled
from experiments.training.outcome import WEIGHTS
from experiments.training.settings import LeanSettings
from search_space.candidate import Candidate
from topformer.errors import DataError, EvaluationError, StudyError
from topformer.network import TopFormer
from topformer.presets import NANO

CANDIDATE = Candidate(design=NANO, height=64, width=64)
SETTINGS = LeanSettings(batch=4, checkpoint_every=3, validations=2, device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=5)


@pytest.fixture(scope="module")
def lean(data: Path) -> LeanEvaluator:
    return LeanEvaluator(data, SETTINGS)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(folder / WEIGHTS, weights_only=True)
    return loaded


def stop_at(update: int) -> Callable[[int, int], None]:
    def progress(done: int, _: int) -> None:
        if done == update:
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_training_that_is_resumed_gives_the_same_bits(lean: LeanEvaluator, tmp_path: Path) -> None:
    whole = lean.evaluate(CANDIDATE, budget=8, seed=1, folder=tmp_path / "whole")
    for update in (2, 7):
        with pytest.raises(KeyboardInterrupt):
            lean.evaluate(CANDIDATE, budget=8, seed=1, folder=tmp_path / "parts", progress=stop_at(update))
    resumed: list[int] = []
    parts = lean.evaluate(
        CANDIDATE, budget=8, seed=1, folder=tmp_path / "parts", progress=lambda done, _: resumed.append(done)
    )
    assert resumed == [7, 8]
    assert replace(parts, seconds=0) == replace(whole, seconds=0)
    assert all(
        torch.equal(value, weights(tmp_path / "parts")[name]) for name, value in weights(tmp_path / "whole").items()
    )


def test_seeds_give_different_networks(lean: LeanEvaluator, tmp_path: Path) -> None:
    for seed in (0, 1):
        lean.evaluate(CANDIDATE, budget=1, seed=seed, folder=tmp_path / str(seed))
    name = "backbone.pyramid.stem.conv.weight"
    assert not torch.equal(weights(tmp_path / "0")[name], weights(tmp_path / "1")[name])


def test_a_finished_evaluation_answers_without_training(lean: LeanEvaluator, tmp_path: Path) -> None:
    first = lean.evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path)
    assert lean.evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path, progress=stop_at(1)) == first


def test_a_folder_of_another_evaluation_is_refused(lean: LeanEvaluator, tmp_path: Path) -> None:
    lean.evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)
    with pytest.raises(StudyError, match="another budget: 1, not 2"):
        lean.evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path)


@pytest.mark.parametrize(("budget", "seed", "field"), [(0, 0, "budget"), (1, -1, "seed")])
def test_a_budget_and_a_seed_are_natural_numbers(
    lean: LeanEvaluator, tmp_path: Path, budget: int, seed: int, field: str
) -> None:
    with pytest.raises(StudyError, match=f"{field} must be an integer"):
        lean.evaluate(CANDIDATE, budget=budget, seed=seed, folder=tmp_path)


def test_the_answer_names_metric_classes_groups_and_what_was_spent(lean: LeanEvaluator, tmp_path: Path) -> None:
    found = lean.evaluate(CANDIDATE, budget=2, seed=3, folder=tmp_path)
    assert found.metric == lean.metric == "miou@tokenworld-64"
    assert (found.source, found.budget, found.seed) == ("trained", 2, 3)
    assert found.value == pytest.approx(np.mean(list(found.per_class.values())))
    assert found.best is not None
    assert found.best >= found.value
    assert found.groups["texture"] == pytest.approx(np.mean([found.per_class[n] for n in ("stripes", "grid", "grain")]))


def test_the_network_gets_as_many_classes_as_the_data(lean: LeanEvaluator, tmp_path: Path) -> None:
    other = replace(CANDIDATE, design=replace(NANO, num_classes=150))
    lean.evaluate(other, budget=1, seed=0, folder=tmp_path)
    assert lean.num_classes == 11
    assert weights(tmp_path)["head.classifier.weight"].shape[0] == 11


def test_the_stored_weights_are_those_of_a_topformer(lean: LeanEvaluator, tmp_path: Path) -> None:
    lean.evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)
    TopFormer(NANO).load_state_dict(weights(tmp_path), strict=True)


def test_a_loss_that_is_not_finite_is_an_error_with_the_update(data: Path, tmp_path: Path) -> None:
    diverging = LeanEvaluator(data, replace(SETTINGS, learning_rate=1e30))
    with pytest.raises(EvaluationError, match=r"the loss is nan at update [23] of 9"):
        diverging.evaluate(CANDIDATE, budget=9, seed=0, folder=tmp_path)


def test_training_lowers_the_loss_on_its_own_images(lean: LeanEvaluator) -> None:
    losses = []
    torch.manual_seed(0)
    training = lean._training(CANDIDATE, budget=40, seed=0)
    images, labels = training.batches[0]
    for _ in range(2):
        with torch.no_grad():
            losses.append(float(pixel_loss(training.model(images), labels)))
        while training.update < 40:
            training.step()
    assert losses[1] < 0.75 * losses[0]


def test_an_evaluation_leaves_torchs_generator_and_threads_alone(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(7)
    other = replace(SETTINGS, threads=threads + 1)
    LeanEvaluator(data, other).evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("changes", [{"smallest_scale": 0.5, "largest_scale": 2.0}, {"precision": "bfloat16"}, {}])
def test_an_input_size_other_than_the_images_is_trained_and_scored(
    data: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    smaller = Candidate(design=NANO, height=32, width=96)
    found = LeanEvaluator(data, replace(SETTINGS, **changes)).evaluate(smaller, budget=2, seed=0, folder=tmp_path)
    assert 0 <= found.value <= 100


def test_settings_and_data_are_part_of_the_description(data: Path, tmp_path: Path) -> None:
    here = evaluator("lean", data, {"batch": 4}).describe()
    other = write_tokenworld(tmp_path / "other", size=64, training=16, validation=5, seed=1)
    assert here["kind"] == "lean"
    assert here["batch"] == 4
    assert here["data"] != evaluator("lean", other).describe()["data"]


def test_a_label_beyond_the_classes_is_an_error_that_names_it(data: Path, tmp_path: Path) -> None:
    folder = open_folder(data, classes=["ground", "else"])
    with pytest.raises(DataError, match=r"annotations/training/0+\.png has label\(s\) [\d, ]+; accepted: 0 to 2"):
        LeanEvaluator(folder, SETTINGS).evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)


def test_a_data_set_without_a_validation_split_is_refused(data: Path) -> None:
    folder = open_folder(data)
    with pytest.raises(DataError, match="unknown split"):
        LeanEvaluator(replace(folder, splits={"training": folder.splits["training"]}))


# The loss


@pytest.mark.parametrize("size", [(24, 40), (7, 3), (16, 10)])
def test_upsampling_is_that_of_torch(size: tuple[int, int]) -> None:
    maps = torch.randn(2, 3, 8, 5, generator=torch.Generator().manual_seed(0))
    expected = functional.interpolate(maps, size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsampled(maps, size), expected)


def test_the_loss_is_summed_over_labelled_pixels_and_divided_by_all() -> None:
    logits = torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
    labels = torch.tensor([[[0, 1], [255, 255]]], dtype=torch.uint8)
    e = torch.e
    expected = (np.log(1 + e) + np.log(1 + e) - 1) / 4
    assert float(pixel_loss(logits, labels)) == pytest.approx(expected)


@pytest.mark.parametrize("labelled", [1.0, 0.6, 0.0])
def test_the_loss_and_its_gradient_are_torchs(labelled: float) -> None:
    generator = torch.Generator().manual_seed(0)
    # As large as logits of a diverging training, whose exponentials overflow.
    logits = 200 * torch.randn(2, 5, 4, 3, generator=generator)
    labels = torch.randint(0, 5, (2, 9, 12), generator=generator)
    labels = labels.where(torch.rand(2, 9, 12, generator=generator) < labelled, 255)
    theirs, ours = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    whole = functional.interpolate(theirs, (9, 12), mode="bilinear")
    expected = functional.cross_entropy(whole, labels, ignore_index=255, reduction="sum") / labels.numel()
    found = pixel_loss(ours, labels.to(torch.uint8))
    torch.testing.assert_close(found, expected)
    for mine, pull in zip(torch.autograd.grad(3 * found, ours), torch.autograd.grad(3 * expected, theirs), strict=True):
        torch.testing.assert_close(mine, pull)


@pytest.mark.parametrize("stride", [2, 3])
def test_a_loss_with_a_stride_is_that_of_every_strideth_pixel(stride: int) -> None:
    logits = torch.randn(2, 5, 4, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 5, (2, 9, 12), generator=torch.Generator().manual_seed(1))
    chosen = (slice(None), slice(stride // 2, None, stride), slice(stride // 2, None, stride))
    whole = functional.interpolate(logits, (9, 12), mode="bilinear")
    expected = functional.cross_entropy(whole.permute(0, 2, 3, 1)[chosen].permute(0, 3, 1, 2), labels[chosen])
    torch.testing.assert_close(pixel_loss(logits, labels.to(torch.uint8), stride), expected)


# Batches


def batches(images: int = 10, **changes: Any) -> Batches:
    """Images whose red value is the number of the image plus the label of the pixel times 16."""
    labels = np.random.default_rng(0).integers(0, 4, (images, 6, 8)).astype(np.uint8)
    colour = np.stack([labels * 16 + np.arange(images, dtype=np.uint8)[:, None, None]] * 3, axis=-1)
    pixels = Pixels(images=torch.from_numpy(colour), labels=torch.from_numpy(labels))
    settings = {"batch": 4, "seed": 0, "height": 6, "width": 8, "flip": 0.5, "scales": (1.0, 1.0)}
    return Batches(pixels=pixels, **{**settings, **changes})


def red(images: torch.Tensor) -> torch.Tensor:
    return (images[:, 0] * 58.395 + 123.675).round()


def test_each_epoch_shows_every_image_once_in_an_order_of_its_own() -> None:
    numbers = np.concatenate([batches().indices(update) for update in range(5)])
    assert sorted(numbers[:10]) == sorted(numbers[10:]) == list(range(10))
    assert numbers[:10].tolist() != numbers[10:].tolist()


def test_a_batch_is_a_function_of_seed_and_update() -> None:
    for first, second in zip(batches()[3], batches()[3], strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(batches()[3][0], batches(seed=1)[3][0])


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_images_and_labels_are_flipped_together(flip: float) -> None:
    made = batches(flip=flip)
    images, labels = made[0]
    assert torch.equal(red(images) // 16, labels.float())
    original = made.pixels.labels[torch.from_numpy(made.indices(0))]
    assert torch.equal(labels, original.flip(2) if flip else original)


def test_enlarged_crops_keep_labels_on_their_pixels_and_ignore_none() -> None:
    quadrants = np.zeros((4, 40, 40), np.uint8)
    quadrants[:, :, 20:] = 1
    made = batches(scales=(2.0, 4.0), height=40, width=40)
    pixels = Pixels(images=torch.from_numpy(np.stack([quadrants * 200] * 3, -1)), labels=torch.from_numpy(quadrants))
    images, labels = replace(made, pixels=pixels)[0]
    agree = (red(images) > 100) == (labels == 1)
    assert agree.float().mean() > 0.97
    assert int(labels.max()) == 1


def test_shrunken_images_lie_in_the_upper_left_corner_and_the_rest_is_ignored() -> None:
    images, labels = batches(scales=(0.5, 0.5), flip=0.0)[0]
    assert (labels[:, :3, :4] != 255).all()
    assert (labels[:, 3:] == 255).all()
    assert (labels[:, :, 4:] == 255).all()
    assert (images[:, :, 4:] == 0).all()

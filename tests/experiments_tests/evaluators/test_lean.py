"""The lean training loop: exact resuming, its batches, its loss, and what it leaves behind."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch.nn import functional

from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators.lean import LeanEvaluator
from experiments.training.lean.batches import Batches, Pixels
from experiments.training.lean.decoded import Decoded
from experiments.training.lean.loop import Training
from experiments.training.lean.loss import pixel_loss, upsampled
from experiments.training.recipes import SCRATCH, with_size
from experiments.training.settings import Machine
from tests.experiments_tests.evaluators.conformance import CANDIDATE, EvaluatorConformance
from topformer.errors import DataError, EvaluationError, StudyError
from topformer.presets import NANO

RECIPE = replace(SCRATCH, batch=4, validations=2)
CPU = Machine(device="cpu", checkpoint_every=3)


class TestConformance(EvaluatorConformance):
    kind = "lean"
    values: ClassVar[Mapping[str, Any]] = {"batch": 4, "checkpoint_every": 2, "device": "cpu"}
    other: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3}
    same: ClassVar[Mapping[str, Any]] = {"threads": 2, "checkpoint_every": 7}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=5)


def test_a_loss_that_is_not_finite_is_an_error_with_the_iteration(data: Path, tmp_path: Path) -> None:
    diverging = LeanEvaluator(data, replace(RECIPE, learning_rate=1e30), CPU)
    with pytest.raises(EvaluationError, match=r"the loss is nan at iteration [23] of 9"):
        diverging.evaluate(CANDIDATE, budget=9, seed=0, folder=tmp_path)


def test_training_lowers_the_loss_on_its_own_images(data: Path) -> None:
    losses = []
    torch.manual_seed(0)
    recipe, device = replace(with_size(RECIPE, 64, 64), iterations=40), torch.device("cpu")
    batches = Decoded(open_folder(data), stacked=True).batches(recipe, 0, device)
    training = Training(NANO, recipe, batches, device=device)
    images, labels = batches[0]
    for _ in range(2):
        with torch.no_grad():
            losses.append(float(pixel_loss(training.model(images), labels)))
        while training.iteration < 40:
            training.step()
    assert losses[1] < 0.75 * losses[0]


def test_an_evaluation_leaves_torchs_threads_alone(data: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    other = replace(CPU, threads=threads + 1)
    LeanEvaluator(data, RECIPE, other).evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("changes", [{"smallest_scale": 0.5, "largest_scale": 2.0}, {"precision": "bfloat16"}])
def test_scales_and_mixed_precision_are_trained_and_scored(data: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    found = LeanEvaluator(data, replace(RECIPE, **changes), CPU).evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path)
    assert 0 <= found.value <= 100


def test_the_description_holds_every_number_of_the_recipe(data: Path) -> None:
    described = LeanEvaluator(data, RECIPE).describe()
    assert described["recipe"]["batch"] == 4
    assert described["recipe"]["betas"] == [0.9, 0.999]


def test_what_the_loop_does_not_do_is_refused_before_the_first_evaluation(data: Path) -> None:
    with pytest.raises(StudyError, match=r"the lean loop trains with least_rate 0.0, got 1e-06; use --loop mmseg"):
        LeanEvaluator(data, replace(RECIPE, least_rate=1e-6))


@pytest.mark.parametrize(
    ("size", "stacked"), [((64, 64), True), ((96, 96), True), ((32, 96), False), ((48, 48), False)]
)
def test_images_are_stacked_where_they_fill_the_input_as_mmsegmentation_resizes_them(
    data: Path, size: tuple[int, int], stacked: bool
) -> None:
    """Into 48 px mmsegmentation resizes to 48 and then to 64, a multiple of 32; into 32 x 96 it keeps the ratio."""
    split = Decoded(open_folder(data), stacked=True).split("validation", with_size(RECIPE, *size), torch.device("cpu"))
    assert isinstance(split, Pixels) == stacked


def test_a_label_beyond_the_classes_is_an_error_that_names_it(data: Path, tmp_path: Path) -> None:
    folder = open_folder(data, classes=["ground", "else"])
    with pytest.raises(DataError, match=r"annotations/training/0+\.png has label\(s\) [\d, ]+; accepted: 0 to 2"):
        LeanEvaluator(folder, RECIPE, CPU).evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)


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
    numbers = np.concatenate([batches().indices(iteration) for iteration in range(5)])
    assert sorted(numbers[:10]) == sorted(numbers[10:]) == list(range(10))
    assert numbers[:10].tolist() != numbers[10:].tolist()


def test_a_batch_is_a_function_of_seed_and_iteration() -> None:
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


def test_a_study_names_the_folder_of_decoded_pixels_which_changes_no_identity(data: Path, tmp_path: Path) -> None:
    made = LeanEvaluator.read(data, {"cache": str(tmp_path / "decoded")})
    assert made.machine.cache == tmp_path / "decoded"
    assert made.describe() == LeanEvaluator.read(data, {}).describe()
    with pytest.raises(StudyError, match="cache must be the path of a folder, got ''"):
        LeanEvaluator.read(data, {"cache": ""})


def test_the_first_part_of_a_schedule_goes_on_to_the_bits_of_the_whole(data: Path, tmp_path: Path) -> None:
    evaluator = LeanEvaluator(data, RECIPE, CPU, schedule=8)
    whole = evaluator.evaluate(CANDIDATE, budget=8, seed=0, folder=tmp_path / "whole")
    assert list(whole.curve) == ["4"]
    evaluator.evaluate(CANDIDATE, budget=5, seed=0, folder=tmp_path / "part")
    (tmp_path / "rest").mkdir()
    (tmp_path / "part" / "checkpoint.pt").rename(tmp_path / "rest" / "checkpoint.pt")
    steps: list[int] = []
    rest = evaluator.evaluate(
        CANDIDATE, budget=8, seed=0, folder=tmp_path / "rest", progress=lambda done, _total: steps.append(done)
    )
    assert steps == [6, 7, 8]
    assert (rest.value, rest.curve) == (whole.value, whole.curve)
    states = [torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("whole", "rest")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not (tmp_path / "rest" / "checkpoint.pt").exists()


def test_a_schedule_is_part_of_what_is_evaluated(data: Path, tmp_path: Path) -> None:
    found = LeanEvaluator.read(data, {"schedule": 8, "device": "cpu"})
    assert found.describe() == {**LeanEvaluator.read(data, {"device": "cpu"}).describe(), "schedule": 8}
    with pytest.raises(StudyError, match="budget must be at most the schedule of 8 iterations, got 9"):
        found.evaluate(CANDIDATE, budget=9, seed=0, folder=tmp_path)
    with pytest.raises(StudyError, match=r"schedule must be .* got 0"):
        LeanEvaluator.read(data, {"schedule": 0})

"""The images and the recipes of pre-training, piece by piece."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data.image_folder import TRAIN, open_class_folder
from experiments.training.classification.augment import OPERATIONS, random_box, training_pixels, validation_pixels
from experiments.training.classification.data import Images, TrainingOrder, validation_batches
from experiments.training.classification.recipes import RECIPES, Colour, pretrain_recipe
from experiments.training.classification.schedule import RMSPropTF, learning_rate
from tests.experiments_tests.training.classification.class_images import write_images
from topformer.errors import DataError, StudyError

RECIPE = replace(pretrain_recipe("adamw-300", size=32), scales=(0.5, 1.0))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("classes") / "mini"
    write_images(root, "train", 2)
    write_images(root, "val", 4)
    return root


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

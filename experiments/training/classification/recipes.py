"""Recipes of ImageNet pre-training, as data.

`adamw-300` is PaddleViT's, which trained Base from scratch with it to 74.22 % top-1 with averaged weights
(github.com/BR-IDL/PaddleViT, image_classification/TopFormer: README.md, config.py, configs/topformer_base.yaml).

`rmsprop-600` is what is public of the release's own, which gave 66.2 / 72.3 / 75.3 %: its authors name 600 epochs, a
batch of 8 x 128, RMSProp and 0.064 (github.com/hustvl/TopFormer, issue 22) and point to the command of SeaFormer for
the rest (issue 32; github.com/fudan-zvg/SeaFormer, seaformer-cls/README.md); issue 20 quotes the same dropout,
stochastic depth, crop and erasing from the checkpoint. What neither says is the default of timm 0.3.2, which that
command runs on: three epochs of warm-up, label smoothing 0.1, no weight decay on biases and normalisation. Its
"drop connect" of 0.2 has no layer in TopFormer that would read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from experiments.training.settings import check_values
from topformer.errors import StudyError, unknown_name


class Optimizer(StrEnum):
    """Kinds of optimizers."""

    ADAMW = "adamw"
    RMSPROP = "rmsprop"
    """RMSProp of TensorFlow: the constant inside the root, mean squares that start at 1, the rate in the momentum."""


class Schedule(StrEnum):
    """What the learning rate does behind the warm-up."""

    COSINE = "cosine"
    """Half a cosine to `least_rate`."""
    STEP = "step"
    """Times `decay_rate` every `decay_epochs`."""


class Colour(StrEnum):
    """What is done to colours."""

    JITTER = "jitter"
    """Brightness, contrast and saturation times 0.6 to 1.4, in random order."""
    RANDAUGMENT = "randaugment"
    """Two operations of RandAugment at magnitude 9 with a deviation of 0.5 (timm's `rand-m9-mstd0.5`)."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainRecipe:
    """One pre-training: everything but the network and the folder of the data.

    Attributes:
        name: Name of the recipe.
        source: Where its numbers come from.
        epochs: Passes over the training images.
        batch: Images per iteration, over all devices.
        size: Side of the network's input in pixels.
        pool_stride: Reduction of the pooled grid; segmentation pools to 64.
        optimizer: Kind of the optimizer.
        learning_rate: Peak learning rate for `batch` images.
        weight_decay: Of weights; biases and normalisation layers have none.
        schedule: What the learning rate does behind the warm-up.
        warmup_epochs: Epochs of linear warm-up.
        warmup_rate: Learning rate that it starts from.
        least_rate: Learning rate at the end of a cosine.
        decay_epochs: Epochs between two steps of a step schedule.
        decay_rate: Factor of a step.
        noise_from: Share of the epochs from which on each epoch's rate is drawn around the schedule's; 1 is never.
        noise: Largest relative deviation of that draw, from a standard normal cut there.
        scales: Least and largest share of an image's area in a random crop.
        ratios: Least and largest width over height of the crop.
        flip: Probability of a horizontal flip.
        colour: What is done to colours.
        erase: Probability that a rectangle of 2 to 33 % of the area is replaced by noise.
        crop_share: Side of the centre crop over the shorter side of a validation image.
        label_smoothing: Share of a target that is spread over all classes.
        drop_path: Stochastic depth of the last extractor block.
        dropout: Dropout before the head, see `topformer.classification`.
        ema_decay: Decay per iteration of the averaged weights.

    Raises:
        StudyError: A number is out of range.
    """

    name: str
    source: str
    epochs: int = 300
    batch: int = 1024
    size: int = 224
    pool_stride: int = 32
    optimizer: Optimizer = Optimizer.ADAMW
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    schedule: Schedule = Schedule.COSINE
    warmup_epochs: float = 30
    warmup_rate: float = 2e-4
    least_rate: float = 2e-4
    decay_epochs: float = 2.4
    decay_rate: float = 0.973
    noise_from: float = 1.0
    noise: float = 0.67
    scales: tuple[float, float] = (0.08, 1.0)
    ratios: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    colour: Colour = Colour.JITTER
    erase: float = 0.2
    crop_share: float = 0.875
    label_smoothing: float = 0.1
    drop_path: float = 0.1
    dropout: float = 0.0
    ema_decay: float = 0.9999

    def __post_init__(self) -> None:
        check_values(self)

    def describe(self) -> dict[str, Any]:
        """The recipe as plain JSON."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


_ALL = (
    PretrainRecipe(name="adamw-300", source="BR-IDL/PaddleViT, image_classification/TopFormer"),
    PretrainRecipe(
        name="rmsprop-600",
        source="hustvl/TopFormer, issues 20, 22 and 32; fudan-zvg/SeaFormer, seaformer-cls/README.md; timm 0.3.2",
        epochs=600,
        optimizer=Optimizer.RMSPROP,
        learning_rate=0.064,
        weight_decay=2e-5,
        schedule=Schedule.STEP,
        warmup_epochs=3,
        warmup_rate=1e-6,
        noise_from=0.42,
        colour=Colour.RANDAUGMENT,
        dropout=0.2,
    ),
)
RECIPES: Mapping[str, PretrainRecipe] = MappingProxyType({item.name: item for item in _ALL})
"""The recipes by name."""


def pretrain_recipe(
    name: str,
    *,
    epochs: int | None = None,
    batch: int | None = None,
    size: int | None = None,
    rate: float | None = None,
) -> PretrainRecipe:
    """The recipe of that name, changed where asked.

    Args:
        name: One of `RECIPES`.
        epochs: Another number of epochs; warm-up and steps keep their share of them.
        batch: Another batch; the learning rates are scaled with it (Goyal et al., 2017, arXiv 1706.02677).
        size: Another side of the input.
        rate: Another peak learning rate, instead of the scaled one; the others keep their share of it.

    Raises:
        StudyError: No such recipe, or a number that is out of range.
    """
    if name not in RECIPES:
        raise StudyError(unknown_name("recipe", name, RECIPES))
    base = RECIPES[name]
    given = {"epochs": epochs, "batch": batch, "size": size, "learning_rate": rate}
    found = replace(base, **{field: value for field, value in given.items() if value is not None})  # type: ignore[arg-type]
    peak = base.learning_rate * found.batch / base.batch if rate is None else rate
    factors = ((peak / base.learning_rate, _RATES), (found.epochs / base.epochs, _LENGTHS))
    return replace(found, **{field: getattr(base, field) * factor for factor, names in factors for field in names})


_RATES = ("learning_rate", "warmup_rate", "least_rate")
_LENGTHS = ("warmup_epochs", "decay_epochs")

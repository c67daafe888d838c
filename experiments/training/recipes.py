"""What a training of a segmentation network does, as data: the recipe, those of the release, and one from scratch.

Numbers are those of the configuration files of the release (github.com/hustvl/TopFormer, commit cc0f436); `source`
names the file. Where a file builds on data settings that only mmsegmentation has, these are mmsegmentation's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from experiments.training.settings import check_values
from topformer.design import Design, Head
from topformer.errors import StudyError, unknown_name
from topformer.pixels import MEAN, STD
from topformer.presets import MODELS, PRESETS

RELEASE = "local_configs/topformer/"
"""Folder of the release with its configuration files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training: everything that changes its result but the network, the data and the seed.

    The defaults are the release's on ADE20K. A study sets the fields by the same names.

    The release asks for no weight decay on parameters whose name contains `norm`, and its networks call these layers
    `bn`; here the layers have none, as its text means.

    Attributes:
        name: Name of the recipe.
        source: The release's file that the numbers come from, or where they come from instead.
        dataset: Name of the data set it is for (`experiments.data.folders.known.KNOWN`); empty for any.
        classes: Classes of the data set.
        reduce_zero_label: Whether label 0 is ignored and class k is label k + 1.
        ignore_index: Number of an ignored pixel in training targets.
        crop: Height and width of a training image in pixels.
        scale: Longer and shorter side that a training image is resized into, ratio kept, times a random factor.
        smallest_scale: Least factor.
        largest_scale: Largest factor.
        cat_max_ratio: A crop with a larger share of one class is drawn again.
        flip: Probability of a horizontal flip.
        distort: Whether brightness, contrast, saturation and hue are distorted.
        evaluation_scale: Longer and shorter side that a validation image is resized into, ratio kept.
        size_divisor: Its sides are then enlarged to multiples of this; 1 leaves them.
        iterations: Steps of the optimizer.
        batch: Images per iteration, over all devices.
        learning_rate: Peak learning rate of AdamW.
        head_multiplier: Factor on it for the head.
        betas: Of AdamW.
        weight_decay: Of everything but normalisation layers.
        norm_weight_decay: Of normalisation layers.
        warmup: Share of the iterations with a linearly rising learning rate.
        warmup_factor: First factor of the warm-up.
        power: Power of the polynomial decay.
        least_rate: Learning rate at its end.
        drop_path: Stochastic depth of the last extractor block; the first has 0 and the rise is linear.
        dropout: Probability with which a whole channel is dropped before the classifier.
        width: Channels M of the injected scales, where they differ from the preset's.
        synchronised: Whether BatchNorm is synchronised over several devices.
        precision: Of the training's forward pass: float32 or bfloat16 (automatic mixed precision).
        validations: How often the whole validation split is scored, evenly over the iterations; the last is the value.
        loss_stride: The loss counts every loss_stride-th row and column of the labels; 1 counts all.
        mean: Subtracted from red, green and blue, 0..255.
        std: Divided by.
        pad_label: Number of a padded pixel's label; padded pixels are 0 behind the normalisation.

    Raises:
        StudyError: A value is of the wrong type or out of range.
    """

    name: str
    source: str
    dataset: str = "ade20k"
    classes: int = 150
    reduce_zero_label: bool = True
    ignore_index: int = 255
    crop: tuple[int, int] = (512, 512)
    scale: tuple[int, int] = (2048, 512)
    smallest_scale: float = 0.5
    largest_scale: float = 2.0
    cat_max_ratio: float = 0.75
    flip: float = 0.5
    distort: bool = True
    evaluation_scale: tuple[int, int] = (2048, 512)
    size_divisor: int = 32
    iterations: int = 160_000
    batch: int = 16
    learning_rate: float = 1.2e-4
    head_multiplier: float = 10.0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    norm_weight_decay: float = 0.0
    warmup: float = 1500 / 160_000
    warmup_factor: float = 1e-6
    power: float = 1.0
    least_rate: float = 0.0
    drop_path: float = 0.1
    dropout: float = 0.1
    width: int | None = None
    synchronised: bool = True
    precision: str = "float32"
    validations: int = 10
    loss_stride: int = 1
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    pad_label: int = 255

    def __post_init__(self) -> None:
        check_values(self)
        if self.smallest_scale > self.largest_scale:
            raise StudyError(
                f"smallest_scale must not exceed largest_scale, got {self.smallest_scale} > {self.largest_scale}"
            )

    @property
    def factors(self) -> tuple[float, float]:
        """Least and largest factor of random resizing; (1, 1) leaves it out."""
        return self.smallest_scale, self.largest_scale

    @property
    def crop_share(self) -> float:
        """`cat_max_ratio` where there is a choice of crops; without one the same crop would be drawn eleven times."""
        return self.cat_max_ratio if self.factors != (1.0, 1.0) else 1.0

    @property
    def warmup_iterations(self) -> int:
        """Iterations whose learning rate rises."""
        return round(self.warmup * self.iterations)

    def is_validation(self, iteration: int) -> bool:
        """Whether the validation split is scored after this many iterations."""
        return iteration * self.validations // self.iterations > (iteration - 1) * self.validations // self.iterations

    def describe(self) -> dict[str, Any]:
        """What changes the result, as plain JSON; size, iterations and classes are a candidate's and the data's."""
        plain = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in _SAID_ELSEWHERE}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


_SAID_ELSEWHERE = frozenset(
    {"source", "dataset", "classes", "reduce_zero_label", "crop", "scale", "evaluation_scale", "iterations", "width"}
)

SCRATCH = Recipe(
    name="scratch",
    source="measured on the embedded data set, docs/tokenworld.md",
    dataset="",
    smallest_scale=1.0,
    largest_scale=1.0,
    distort=False,
    batch=8,
    # At half of it NANO was still learning the context classes of tokenworld after 1,200 iterations, and twice of it
    # gave no more.
    learning_rate=1e-2,
    head_multiplier=1.0,
    warmup=0.05,
    validations=1,
)
"""For small networks from scratch, small images and few iterations: what the evaluators train by where nothing says
otherwise."""


def with_size(recipe: Recipe, height: int, width: int) -> Recipe:
    """The recipe with other crops, and images resized to their shorter side; an image may be 4 times as long."""
    scale = scale_of(height, width)
    return replace(recipe, crop=(height, width), scale=scale, evaluation_scale=scale)


def scale_of(height: int, width: int) -> tuple[int, int]:
    """Longer and shorter side that images are resized into for a network of this input size, as in the release.

    An image may be at most four times as long as it is short: (2048, 512).
    """
    short = min(height, width)
    return max(4 * short, height, width), short


_ADE = Recipe(name="ade20k-160k", source="topformer_{model}_512x512_160k_2x8_ade20k.py")
_CONTEXT = Recipe(
    name="pascal-context-60",
    source="topformer_{model}_480x480_80k_2x8_pascalcontext.py",
    dataset="pascal-context-60",
    classes=60,
    reduce_zero_label=False,
    crop=(480, 480),
    scale=(520, 520),
    evaluation_scale=(520, 520),
    size_divisor=1,
    iterations=80_000,
    warmup=1500 / 80_000,
)
_COCO = Recipe(
    name="coco-stuff-10k",
    source="topformer_{model}_512x512_80k_2x8_cocostuff10k.py",
    dataset="coco-stuff-10k",
    classes=171,
    iterations=80_000,
    warmup=1500 / 80_000,
    size_divisor=1,
)
_CITYSCAPES = Recipe(
    name="cityscapes",
    source="topformer_base_1024x512_80k_2x8city.py",
    dataset="cityscapes",
    classes=19,
    reduce_zero_label=False,
    crop=(512, 1024),
    scale=(512, 512),
    evaluation_scale=(1024, 512),
    size_divisor=1,
    iterations=80_000,
    warmup=1500 / 80_000,
    batch=8,
    learning_rate=3e-4,
    width=128,
)
_TINY_448 = replace(
    _ADE,
    name="ade20k-160k-448",
    source="topformer_tiny_448x448_160k_2x8_ade20k.py",
    crop=(448, 448),
    scale=(2048, 448),
    evaluation_scale=(2048, 448),
    learning_rate=3e-4,
)
# CamVid is not in the release: this is its Cityscapes recipe for photographs of 480 x 360 px, with as many passes over
# 367 images as that makes over 2,975.
_CAMVID = replace(
    _CITYSCAPES,
    name="camvid",
    source="topformer_base_1024x512_80k_2x8city.py for 480 x 360 px and 367 images",
    dataset="camvid",
    classes=11,
    reduce_zero_label=True,
    crop=(352, 480),
    scale=(480, 352),
    evaluation_scale=(480, 352),
    size_divisor=32,
    iterations=10_000,
    warmup=1500 / 10_000,
    width=None,
)
_ALL = (
    _ADE,
    replace(_ADE, name="ade20k-160k-b32", source="topformer_base_512x512_160k_4x8_ade20k.py", batch=32),
    _TINY_448,
    replace(
        _CONTEXT,
        name="pascal-context-59",
        source="topformer_{model}_480x480_80k_2x8_pascalcontext_59.py",
        dataset="pascal-context-59",
        classes=59,
        reduce_zero_label=True,
    ),
    _CONTEXT,
    _COCO,
    # The release has no file for it: its COCO-Stuff recipe with mmsegmentation's data settings.
    replace(
        _COCO,
        name="coco-stuff-164k",
        source="coco-stuff-10k on mmsegmentation's configs/_base_/datasets/coco-stuff164k.py",
        dataset="coco-stuff-164k",
        reduce_zero_label=False,
    ),
    _CITYSCAPES,
    _CAMVID,
)
RECIPES: Mapping[str, Recipe] = MappingProxyType({item.name: item for item in _ALL})
"""The recipes by name, with the numbers for Small and Base; `recipe` gives those of a model."""

_OF_MODEL: Mapping[tuple[str, str], Mapping[str, object]] = MappingProxyType(
    {
        ("ade20k-160k", "tiny"): {"learning_rate": 3e-4},
        ("ade20k-160k-b32", "tiny"): {"learning_rate": 3e-4},
        ("cityscapes", "tiny"): {
            "source": "topformer_tiny_1024x512_80k_2x8_city.py",
            # The file's name says 80k; the schedule that it builds on has 160,000 iterations.
            "iterations": 160_000,
            "warmup": 1500 / 160_000,
            "scale": (1024, 512),
        },
    }
)
"""What the release sets otherwise for one model."""


def recipe(name: str, model: str = "base") -> Recipe:
    """The recipe of that name with the release's numbers for one of its models.

    Args:
        name: One of `RECIPES`.
        model: `tiny`, `small` or `base`; another design trains with the numbers of the nearest.

    Raises:
        StudyError: No such recipe or model; the message offers the nearest name.
    """
    if not isinstance(name, str) or name not in RECIPES:
        raise StudyError(unknown_name("recipe", name, RECIPES))
    if model not in MODELS:
        raise StudyError(unknown_name("model of the release", model, MODELS))
    found = replace(RECIPES[name], **_OF_MODEL.get((name, model), {}))  # type: ignore[arg-type]
    return replace(found, source=found.source.format(model=model))


def released_design(name: str, model: str) -> Design:
    """The network that the release trains with a recipe: a preset with the recipe's classes and width.

    Raises:
        StudyError: No such recipe or model.
    """
    found = recipe(name, model)
    design = replace(PRESETS[model], num_classes=found.classes)
    # On Cityscapes the release leaves Tiny's head dense.
    return replace(design, width=found.width, head=Head.SUM) if found.width else design

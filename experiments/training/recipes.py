"""The recipes of the released trainings, as data.

Numbers are those of the configuration files of the release (github.com/hustvl/TopFormer, commit cc0f436); `source`
names the file. Where a file builds on data settings that only mmsegmentation has, these are mmsegmentation's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from types import MappingProxyType

from topformer.design import Design, Head
from topformer.errors import StudyError, unknown_name
from topformer.presets import PRESETS

MODELS = ("tiny", "small", "base")
RELEASE = "local_configs/topformer/"
"""Folder of the release with its configuration files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training of the release: everything but the network and the folder of the data.

    The release asks for no weight decay on parameters whose name contains `norm`, and its networks call these layers
    `bn`; here the layers have none, as its text means.

    Attributes:
        name: Name of the recipe.
        source: The release's file that the numbers come from, or where they come from instead.
        dataset: Name of the data set it is for (`experiments.data.folders.known.KNOWN`).
        classes: Classes of the data set.
        reduce_zero_label: Whether label 0 is ignored and class k is label k + 1.
        ignore_index: Number of an ignored pixel in training targets.
        crop: Height and width of a training image in pixels.
        scale: Longer and shorter side that a training image is resized into, ratio kept, times a random factor.
        factors: Least and largest factor.
        cat_max_ratio: A crop with a larger share of one class is drawn again.
        flip: Probability of a horizontal flip.
        distort: Whether brightness, contrast, saturation and hue are distorted.
        evaluation_scale: Longer and shorter side that a validation image is resized into, ratio kept.
        size_divisor: Its sides are then enlarged to multiples of this; 1 leaves them.
        iterations: Updates.
        batch: Images per update, over all devices.
        learning_rate: Peak learning rate of AdamW.
        head_multiplier: Factor on it for the head.
        betas: Of AdamW.
        weight_decay: Of everything but normalisation layers.
        norm_weight_decay: Of normalisation layers.
        warmup: Updates of the linear warm-up.
        warmup_factor: First factor of the warm-up.
        power: Power of the polynomial decay.
        least_rate: Learning rate at its end.
        drop_path: Stochastic depth of the last extractor block.
        dropout: Dropout before the classifier.
        width: Channels M of the injected scales, where they differ from the preset's.
        synchronised: Whether BatchNorm is synchronised over several devices.
        mean: Subtracted from red, green and blue, 0..255.
        std: Divided by.
        pad_label: Number of a padded pixel's label; padded pixels are 0 behind the normalisation.

    Raises:
        StudyError: A number is out of range.
    """

    name: str
    source: str
    dataset: str = "ade20k"
    classes: int = 150
    reduce_zero_label: bool = True
    ignore_index: int = 255
    crop: tuple[int, int] = (512, 512)
    scale: tuple[int, int] = (2048, 512)
    factors: tuple[float, float] = (0.5, 2.0)
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
    warmup: int = 1500
    warmup_factor: float = 1e-6
    power: float = 1.0
    least_rate: float = 0.0
    drop_path: float = 0.1
    dropout: float = 0.1
    width: int | None = None
    synchronised: bool = True
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    pad_label: int = 255

    def __post_init__(self) -> None:
        least = {"classes": 1, "iterations": 1, "batch": 2, "warmup": 0, "size_divisor": 1}
        for name, smallest in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
                raise StudyError(f"{name} must be an integer of at least {smallest}, got {value!r}")
        for name in ("crop", "scale", "evaluation_scale"):
            if len(getattr(self, name)) != 2 or min(getattr(self, name)) < 1:
                raise StudyError(f"{name} must be two numbers of pixels, got {getattr(self, name)!r}")
        if not (isfinite(self.learning_rate) and self.learning_rate > 0):
            raise StudyError(f"learning_rate must be a number above 0, got {self.learning_rate!r}")


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
)
_COCO = Recipe(
    name="coco-stuff-10k",
    source="topformer_{model}_512x512_80k_2x8_cocostuff10k.py",
    dataset="coco-stuff-10k",
    classes=171,
    iterations=80_000,
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
)
RECIPES: Mapping[str, Recipe] = MappingProxyType({item.name: item for item in _ALL})
"""The recipes by name, with the numbers for Small and Base; `recipe` gives those of a model."""

_OF_MODEL: Mapping[tuple[str, str], Mapping[str, object]] = MappingProxyType(
    {
        ("ade20k-160k", "tiny"): {"learning_rate": 3e-4},
        ("ade20k-160k-b32", "tiny"): {"learning_rate": 3e-4},
        ("cityscapes", "tiny"): {
            "source": "topformer_tiny_1024x512_80k_2x8_city.py",
            # The file's name says 80k; the schedule that it builds on has 160,000 updates.
            "iterations": 160_000,
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
    if name not in RECIPES:
        raise StudyError(unknown_name("recipe", name, RECIPES))
    if model not in MODELS:
        raise StudyError(unknown_name("model of the release", model, MODELS))
    found = replace(RECIPES[name], **_OF_MODEL.get((name, model), {}))  # type: ignore[arg-type]
    return replace(found, source=found.source.format(model=model))


def model_of(design: Design) -> str:
    """The released model whose pyramid is nearest to a design's in channels, for the numbers of a recipe."""

    def distance(model: str) -> int:
        theirs = PRESETS[model].tap_channels
        return sum(abs(a - b) for a, b in zip(design.tap_channels, theirs, strict=True))

    return min(MODELS, key=distance)


def released_design(name: str, model: str) -> Design:
    """The network that the release trains with a recipe: a preset with the recipe's classes and width.

    Raises:
        StudyError: No such recipe or model.
    """
    found = recipe(name, model)
    design = replace(PRESETS[model], num_classes=found.classes)
    # On Cityscapes the release leaves Tiny's head dense.
    return replace(design, width=found.width, head=Head.SUM) if found.width else design

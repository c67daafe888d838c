"""What a training evaluator can be told: typed, validated, and read from a study file."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Any, Self, get_type_hints

from topformer.errors import StudyError, unknown_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("float32", "bfloat16")
COMPILERS = ("none", "inductor", "cudagraphs")

_CHOICES: Mapping[str, tuple[str, ...]] = {"device": DEVICES, "precision": PRECISIONS, "compile": COMPILERS}
"""Accepted words of each setting that is one."""

_RULES: Mapping[str, tuple[float, float, str]] = {
    "batch": (2, float("inf"), "an integer of at least 2, because batch normalisation needs more than one value"),
    "learning_rate": (1e-12, float("inf"), "a number above 0"),
    "weight_decay": (0, float("inf"), "a number of at least 0"),
    "warmup": (0, 1, "a share of the updates, from 0 to 1"),
    "power": (0, float("inf"), "a number of at least 0"),
    "head_multiplier": (1e-12, float("inf"), "a number above 0"),
    "drop_path": (0, 0.999, "a probability below 1"),
    "dropout": (0, 0.999, "a probability below 1"),
    "flip": (0, 1, "a probability"),
    "smallest_scale": (0.01, 100, "a factor from 0.01 to 100"),
    "largest_scale": (0.01, 100, "a factor from 0.01 to 100"),
    "validations": (1, float("inf"), "an integer of at least 1"),
    "checkpoint_every": (1, float("inf"), "an integer of at least 1"),
    "threads": (1, float("inf"), "an integer of at least 1"),
    "loss_stride": (1, 64, "an integer from 1 to 64"),
    "workers": (0, float("inf"), "an integer of at least 0"),
}
"""Least and largest value of each number, and the same in words."""

_MACHINE = frozenset({"threads", "workers", "device", "checkpoint_every", "compile"})
"""Settings of how, not what, is computed; a study may change them and go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """The recipe of a training, for both training evaluators.

    The defaults are for small images and small budgets; `release()` is the recipe of the released networks.

    Attributes:
        batch: Images per update.
        learning_rate: Peak learning rate of AdamW (betas 0.9 and 0.999). The default is for small networks from
            scratch: at half of it NANO was still learning the context classes of tokenworld after 1,200 updates, and
            twice of it gave no more, see docs/tokenworld.md.
        weight_decay: Weight decay of everything but normalisation layers.
        warmup: Share of the updates with a linearly rising learning rate.
        power: Power of the polynomial decay to 0 that follows.
        head_multiplier: Factor on the head's learning rate.
        drop_path: Stochastic depth of the last extractor block; the first has 0 and the rise is linear.
        dropout: Dropout before the classifier.
        flip: Probability of a horizontal flip.
        smallest_scale: Least factor of random resizing before the random crop to the candidate's input size.
        largest_scale: Largest factor; 1 and 1 leave both out.
        precision: Of the training's forward pass: float32 or bfloat16 (automatic mixed precision).
        validations: How often the whole validation split is scored, evenly over the updates; the last is the value.
        checkpoint_every: Updates between two checkpoints.

    Raises:
        StudyError: A value is of the wrong type or out of range.
    """

    batch: int = 8
    learning_rate: float = 1e-2
    weight_decay: float = 0.01
    warmup: float = 0.05
    power: float = 1.0
    head_multiplier: float = 1.0
    drop_path: float = 0.1
    dropout: float = 0.1
    flip: float = 0.5
    smallest_scale: float = 1.0
    largest_scale: float = 1.0
    precision: str = "float32"
    validations: int = 1
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            _check(name, getattr(self, name), kind)
        if self.smallest_scale > self.largest_scale:
            raise StudyError(
                f"smallest_scale must not exceed largest_scale, got {self.smallest_scale} > {self.largest_scale}"
            )

    @classmethod
    def release(cls, **changes: Any) -> Self:
        """The recipe of the released Tiny on ADE20K (github.com/hustvl/TopFormer), for 160,000 updates."""
        recipe = {
            "batch": 16,
            "learning_rate": 3e-4,
            "warmup": 1500 / 160_000,
            "head_multiplier": 10.0,
            "smallest_scale": 0.5,
            "largest_scale": 2.0,
        }
        return cls(**{**recipe, **changes})

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """The settings of a table in a study file; absent keys take their defaults.

        Raises:
            StudyError: An unknown key, or a value of the wrong type or out of range.
        """
        check_names(cls, values)
        return cls(**values)

    def describe(self) -> dict[str, Any]:
        """The settings that change the number, as plain JSON."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name not in _MACHINE}

    def warmup_updates(self, budget: int) -> int:
        """Updates of a training of `budget` updates whose learning rate rises."""
        return round(self.warmup * budget)

    def is_validation(self, update: int, budget: int) -> bool:
        """Whether the validation split is scored after this many updates."""
        return update * self.validations // budget > (update - 1) * self.validations // budget


@dataclass(frozen=True, slots=True, kw_only=True)
class LeanSettings(TrainingSettings):
    """Settings of the lean training loop.

    Attributes:
        threads: Threads of torch; 1 where several evaluations run beside each other.
        device: `cpu` or `cuda`; `auto` takes CUDA where there is a device.
        loss_stride: The loss counts every loss_stride-th row and column of the labels; 1 counts all.
        distort: Photometric distortion, part of the released recipe.
        compile: What torch compiles the training's network with: `none`; `inductor`, which takes a minute or so per
            network; or `cudagraphs`, which needs CUDA and has never been run by us.
    """

    threads: int = 1
    device: str = "auto"
    loss_stride: int = 1
    distort: bool = False
    compile: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class MmsegSettings(TrainingSettings):
    """Settings of the training with mmsegmentation.

    Attributes:
        distort: Photometric distortion, part of the released recipe.
        workers: Processes that load data.
    """

    distort: bool = False
    workers: int = 0


def scale_of(height: int, width: int) -> tuple[int, int]:
    """Longer and shorter side that images are resized into for a network of this input size, as in the release.

    An image may be at most four times as long as it is short: (2048, 512).
    """
    short = min(height, width)
    return max(4 * short, height, width), short


def check_names(settings: "type[DataclassInstance]", values: Mapping[str, Any]) -> None:
    """A table in a study file names fields of a class of settings only.

    Raises:
        StudyError: A key is none.
    """
    names = [item.name for item in fields(settings)]
    for name in values:
        if name not in names:
            raise StudyError(unknown_name("evaluator setting", name, names))


def _check(name: str, value: object, kind: type) -> None:
    if kind is str:
        accepted = _CHOICES[name]
        if value not in accepted:
            raise StudyError(unknown_name(f"{name} of the evaluator", value, accepted))
    elif kind is bool:
        if not isinstance(value, bool):
            raise StudyError(f"{name} must be true or false, got {value!r}")
    else:
        _check_number(name, value, integer=kind is int)


def _check_number(name: str, value: object, *, integer: bool) -> None:
    least, largest, words = _RULES[name]
    accepted = int if integer else (int, float)
    valid = isinstance(value, accepted) and not isinstance(value, bool)
    if not (valid and isinstance(value, (int, float)) and isfinite(value) and least <= value <= largest):
        raise StudyError(f"{name} must be {words}, got {value!r}")

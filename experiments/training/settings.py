"""What can be set: rules for every value of a recipe and of a machine, in one place."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

from topformer.errors import StudyError, unknown_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("float32", "bfloat16")
COMPILERS = ("none", "inductor", "cudagraphs")

_CHOICES: Mapping[str, tuple[str, ...]] = {"device": DEVICES, "precision": PRECISIONS, "compile": COMPILERS}
"""Accepted words of each setting that is one."""

_INFINITE = float("inf")
_RULES: Mapping[str, tuple[float, float, str]] = {
    "classes": (1, _INFINITE, "an integer of at least 1"),
    "iterations": (1, _INFINITE, "an integer of at least 1"),
    "epochs": (1, _INFINITE, "an integer of at least 1"),
    "batch": (2, _INFINITE, "an integer of at least 2, because batch normalisation needs more than one value"),
    "size": (32, _INFINITE, "a number of pixels of at least 32"),
    "size_divisor": (1, _INFINITE, "an integer of at least 1"),
    "learning_rate": (1e-12, _INFINITE, "a number above 0"),
    "warmup_rate": (0, _INFINITE, "a number of at least 0"),
    "warmup_epochs": (0, _INFINITE, "a number of at least 0"),
    "least_rate": (0, _INFINITE, "a number of at least 0"),
    "momentum": (0, 1, "a number from 0 to 1"),
    "weight_decay": (0, _INFINITE, "a number of at least 0"),
    "norm_weight_decay": (0, _INFINITE, "a number of at least 0"),
    "warmup": (0, 1, "a share of the iterations, from 0 to 1"),
    "warmup_factor": (0, 1, "a factor from 0 to 1"),
    "warmup_iterations": (0, _INFINITE, "an integer of at least 0"),
    "power": (0, _INFINITE, "a number of at least 0"),
    "head_multiplier": (1e-12, _INFINITE, "a number above 0"),
    "drop_path": (0, 0.999, "a probability below 1"),
    "dropout": (0, 0.999, "a probability below 1"),
    "flip": (0, 1, "a probability"),
    "erase": (0, 1, "a probability"),
    "label_smoothing": (0, 0.999, "a probability below 1"),
    "ema_decay": (0, 0.999999, "a factor below 1"),
    "cat_max_ratio": (0, 1, "a share from 0 to 1"),
    "smallest_scale": (0.01, 100, "a factor from 0.01 to 100"),
    "largest_scale": (0.01, 100, "a factor from 0.01 to 100"),
    "validations": (1, _INFINITE, "an integer of at least 1"),
    "loss_stride": (1, 64, "an integer from 1 to 64"),
    "checkpoint_every": (1, _INFINITE, "an integer of at least 1"),
    "threads": (1, _INFINITE, "an integer of at least 1"),
    "workers": (0, _INFINITE, "an integer of at least 0"),
    "crop": (1, _INFINITE, "two numbers of pixels"),
    "scale": (1, _INFINITE, "two numbers of pixels"),
    "evaluation_scale": (1, _INFINITE, "two numbers of pixels"),
}
"""Least and largest value of each number, and the same in words."""


def check_values(values: "DataclassInstance") -> None:
    """Every value for which there is a rule is of its type and in range.

    Raises:
        StudyError: One is not; the message shows it and says what is accepted.
    """
    for name, kind in get_type_hints(type(values)).items():
        value = getattr(values, name)
        if name in _CHOICES:
            if value not in _CHOICES[name]:
                raise StudyError(unknown_name(f"{name} of the training", value, _CHOICES[name]))
        elif kind is bool:
            if not isinstance(value, bool):
                raise StudyError(f"{name} must be true or false, got {value!r}")
        elif name in _RULES:
            _check_number(name, value, kind)


def _check_number(name: str, value: object, kind: object) -> None:
    least, largest, words = _RULES[name]
    pair = kind not in (int, float)
    numbers = (value if isinstance(value, (tuple, list)) and len(value) == 2 else ()) if pair else (value,)
    accepted = (int, float) if kind is float else int
    for number in numbers or (None,):
        valid = isinstance(number, accepted) and not isinstance(number, bool)
        if not (valid and isinstance(number, (int, float)) and isfinite(number) and least <= number <= largest):
            raise StudyError(f"{name} must be {words}, got {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """How a training is computed. Nothing here changes what is computed, so that a training may go on with another.

    Attributes:
        device: lean: `cpu` or `cuda`; `auto` takes CUDA where there is a device. mmsegmentation decides for itself.
        threads: lean: threads of torch; 1 where several trainings run beside each other.
        compile: lean: what torch compiles the training's network with: `none`; `inductor`, which takes a minute or so
            per network; or `cudagraphs`, which needs CUDA and has never been run by us.
        cache: lean: folder of the decoded data set; in memory without one.
        workers: mmseg: processes per device that load data.
        checkpoint_every: Iterations between two checkpoints, at most.

    Raises:
        StudyError: A value is of the wrong type or out of range.
    """

    device: str = "auto"
    threads: int = 1
    compile: str = "none"
    cache: Path | None = None
    workers: int = 0
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        check_values(self)

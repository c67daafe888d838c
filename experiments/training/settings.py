"""What can be set: rules for every value of a recipe and of a machine, in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, get_type_hints

from topformer.bounds import COUNT, LOADERS, NATURAL, SIDE
from topformer.errors import StudyError
from topformer.kinds import Choice, Fits, Flag, Integer, Kind, Number, is_integer
from topformer.schema import refuse

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("float32", "bfloat16")
COMPILERS = ("none", "inductor", "cudagraphs")


def _is_pixels(value: object) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(is_integer(one) and one > 0 for one in value)


def _is_folder(value: object) -> bool:
    return value is None or (isinstance(value, (str, Path)) and value not in ("", Path()))


_PIXELS = Fits("two numbers of pixels", _is_pixels)
_ABOVE_0 = Number("a number above 0", 1e-12)
_NOT_NEGATIVE = Number("a number of at least 0", 0)
_PROBABILITY = Number("a probability", 0, 1)
_BELOW_1 = Number("a probability below 1", 0, 0.999)
_FACTOR = Number("a factor from 0.01 to 100", 0.01, 100)

_RULES: Mapping[str, Kind] = MappingProxyType(
    {
        "device": Choice(DEVICES),
        "precision": Choice(PRECISIONS),
        "compile": Choice(COMPILERS),
        "classes": COUNT,
        "iterations": COUNT,
        "epochs": COUNT,
        "batch": Integer(2, 10**9, "an integer of at least 2, because batch normalisation needs more than one value"),
        "size": Integer(32, SIDE.largest, "a number of pixels of at least 32"),
        "size_divisor": COUNT,
        "learning_rate": _ABOVE_0,
        "warmup_rate": _NOT_NEGATIVE,
        "warmup_epochs": _NOT_NEGATIVE,
        "least_rate": _NOT_NEGATIVE,
        "momentum": Number("a number from 0 to 1", 0, 1),
        "weight_decay": _NOT_NEGATIVE,
        "norm_weight_decay": _NOT_NEGATIVE,
        "warmup": Number("a share of the iterations, from 0 to 1", 0, 1),
        "warmup_factor": Number("a factor from 0 to 1", 0, 1),
        "warmup_iterations": NATURAL,
        "power": _NOT_NEGATIVE,
        "head_multiplier": _ABOVE_0,
        "drop_path": _BELOW_1,
        "dropout": _BELOW_1,
        "flip": _PROBABILITY,
        "erase": _PROBABILITY,
        "label_smoothing": _BELOW_1,
        "ema_decay": Number("a factor below 1", 0, 0.999999),
        "cat_max_ratio": Number("a share from 0 to 1", 0, 1),
        "smallest_scale": _FACTOR,
        "largest_scale": _FACTOR,
        "validations": COUNT,
        "loss_stride": Integer(1, 64, "an integer from 1 to 64"),
        "cache": Fits("the path of a folder", _is_folder),
        "checkpoint_every": COUNT,
        "threads": COUNT,
        "workers": LOADERS,
        "crop": _PIXELS,
        "scale": _PIXELS,
        "evaluation_scale": _PIXELS,
    }
)
"""Name of a value to what it may be; one name means one thing in every recipe."""


def value_problems(definition: "type[DataclassInstance]", values: Mapping[str, object]) -> list[str]:
    """What is wrong with the values of fields of a recipe or a machine, a sentence each."""
    found = []
    for name, hint in get_type_hints(definition).items():
        rule = Flag() if hint is bool else _RULES.get(name)
        if rule is not None and name in values:
            where = f"{name} of the training" if isinstance(rule, Choice) else name
            found += rule.problems(where, values[name])
    return found


def check_values(values: "DataclassInstance") -> None:
    """Every value for which there is a rule is accepted.

    Raises:
        StudyError: Some are not; the message lists them and says what is accepted.
    """
    refuse(value_problems(type(values), {item.name: getattr(values, item.name) for item in fields(values)}), StudyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """How a training is computed. Nothing here changes what is computed, so that a training may go on with another.

    Attributes:
        device: lean: `cpu` or `cuda`; `auto` takes CUDA where there is a device. mmsegmentation decides for itself.
        threads: lean: threads of torch; 1 where several trainings run beside each other.
        compile: lean: what torch compiles the training's network with: `none`; `inductor`, which takes a minute or so
            per network; or `cudagraphs`, which needs CUDA and has never been run by us.
        cache: lean: folder of the decoded data set, whose pages the trainings of one machine share; without one, each
            holds the pixels in its memory.
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

"""What a training gives back, and the files that it leaves."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topformer.errors import EvaluationError, StorageError

if TYPE_CHECKING:
    from torch import Tensor

    from experiments.training.scores import Scores

RESULT = "result.json"
TRAINING, VALIDATION = "training", "validation"
WEIGHTS = "weights.pt"
"""Weights of the trained network: a state dict of `topformer.network.TopFormer` that `weights_only=True` loads."""

Progress = Callable[[int, int], None]
"""Called with iterations done and iterations in all."""

_UNFINISHED = re.compile(r"\.\w+\.\w+\.\d+")
"""Names that `replacing` gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a finished training came to.

    Attributes:
        scores: Of the validation split after the last iteration.
        weights: State dict of a `TopFormer`, on the CPU.
        seconds: Wall-clock time, that before an interruption included.
        validations: mIoU in percent of the earlier validations, by iterations done.
    """

    scores: "Scores"
    weights: Mapping[str, "Tensor"]
    seconds: float
    validations: Mapping[int, float] = field(default_factory=dict)


def not_finite(loss: float, iteration: int, iterations: int, images: Sequence[str] = ()) -> EvaluationError:
    """The error of a loss that is not finite, at an iteration counted from 1, with the images of its batch."""
    batch = f", on {', '.join(images)}" if images else ""
    return EvaluationError(
        f"the loss is {loss} at iteration {iteration} of {iterations}{batch}; a lower learning rate may help"
    )


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file that is either whole or absent."""
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="ascii")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A fresh file to write, which takes the place of `path` in one step when the block ends well.

    Raises:
        StorageError: The disk does not take it.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield fresh
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}") from error
    finally:
        fresh.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed within `replacing` left behind."""
    for left in folder.glob(".*"):
        if _UNFINISHED.fullmatch(left.name):
            left.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        StorageError: The file cannot be read, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise StorageError(f"{path} must hold a JSON object, got {value!r}")
    return value

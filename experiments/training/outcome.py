"""What a training gives back, and the names of what it leaves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from topformer.errors import EvaluationError

if TYPE_CHECKING:
    from torch import Tensor

    from experiments.training.scores import Scores

RESULT = "result.json"
WEIGHTS = "weights.pt"
"""Weights of the trained network: a state dict of `topformer.network.TopFormer` that `weights_only=True` loads."""

Progress = Callable[[int, int], None]
"""Called with iterations done and iterations in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a finished training came to.

    Attributes:
        scores: Of the validation split after the last iteration.
        weights: State dict of a `TopFormer`, on the CPU.
        seconds: Wall-clock time, that before an interruption included.
        cpu_seconds: Processor time, that before an interruption included; None where it is not counted.
        validations: mIoU in percent of the earlier validations, by iterations done.
    """

    scores: "Scores"
    weights: Mapping[str, "Tensor"]
    seconds: float
    validations: Mapping[int, float] = field(default_factory=dict)
    cpu_seconds: float | None = None


def not_finite(loss: float, iteration: int, iterations: int, images: Sequence[str] = ()) -> EvaluationError:
    """The error of a loss that is not finite, at an iteration counted from 1, with the images of its batch."""
    batch = f", on {', '.join(images)}" if images else ""
    return EvaluationError(
        f"the loss is {loss} at iteration {iteration} of {iterations}{batch}; a lower learning rate may help"
    )

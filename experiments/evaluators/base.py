"""What an evaluator is asked, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from analysis.records.fidelity import Fidelity
from analysis.records.record import Metric
from analysis.results.pareto import NORMAL_95
from experiments.training.outcome import Progress as Progress
from search_space.candidate import Candidate
from topformer.errors import StudyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """An accuracy, and what it is worth.

    Attributes:
        metric: What was measured on what, such as `miou@tokenworld-128`.
        value: In percent for mIoU.
        source: `trained`, `supernet`, `proxy`, `surrogate` or `count`.
        error: Standard deviation of the value where it is known.
        budget: Iterations that were spent.
        seed: Seed of initialisation and data order.
        seconds: Wall-clock time.
        cpu_seconds: Processor time of the process that evaluated, where it is known.
        curve: Values seen on the way, by iterations done.
        best: The best value seen during training; `value` is the last.
        per_class: IoU per class, in percent.
        groups: Mean IoU per group of classes, in percent.
        remarks: What else a record keeps of it, as plain JSON.
    """

    metric: str
    value: float
    source: str
    budget: int
    seed: int
    seconds: float
    error: float | None = None
    best: float | None = None
    per_class: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, float] = field(default_factory=dict)
    cpu_seconds: float | None = None
    curve: Mapping[str, float] = field(default_factory=dict)
    remarks: Mapping[str, Any] = field(default_factory=dict)

    def metrics(self) -> dict[str, Metric]:
        """The number as a record keeps it, with its 95 % interval where the error is known."""
        half = None if self.error is None else NORMAL_95 * self.error
        low, high = (None, None) if half is None else (self.value - half, self.value + half)
        return {self.metric: Metric(value=self.value, source=self.source, low=low, high=high)}

    def details(self) -> dict[str, Any]:
        """What a record keeps beside the number."""
        return {
            "best": self.best,
            "per_class": dict(self.per_class),
            "groups": dict(self.groups),
            "evaluation_seconds": self.seconds,
            **({} if self.cpu_seconds is None else {"cpu_seconds": round(self.cpu_seconds, 1)}),
            **({"curve": dict(self.curve)} if self.curve else {}),
            **self.remarks,
        }


class Evaluator(Protocol):
    """Gives the accuracy of a candidate under a budget."""

    @property
    def metric(self) -> str:
        """Name of the metric, with the data set and size: a study uses exactly one."""
        ...

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """Spend `budget` iterations on the candidate; `folder` keeps checkpoints, from which a second call resumes.

        An evaluator that trains nothing takes a budget of 0.

        Raises:
            EvaluationError: There is no honest number, for instance because the loss is not finite.
        """
        ...

    def describe(self) -> Mapping[str, Any]:
        """Every setting that changes the number, as plain JSON: its identity, from which its fidelity follows.

        `kind` names the evaluator; `data`, where it uses any, is a table with the `name` and what tells two versions
        of it apart; the rest are settings.
        """
        ...


@runtime_checkable
class WholesaleEvaluator(Evaluator, Protocol):
    """An evaluator that judges thousands of candidates in a second, and so every design of a space."""

    def judge(self, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """What `evaluate` gives for each: (2, N), the values and their standard deviations, 0 where they are exact.

        Raises:
            EvaluationError: There is no honest number for one of them.
        """
        ...


EvaluatorMaker = Callable[[], Evaluator]
"""Makes an evaluator in the process that runs it; a picklable one, and equal ones pickle to equal bytes."""


def fidelity_of(evaluator: Evaluator, *, height: int, width: int, budget: int) -> Fidelity:
    """What an evaluator's accuracies of candidates of that size (pixels) under that budget are obtained with."""
    return Fidelity.of(evaluator.describe(), height=height, width=width, budget=budget)


def check_untrained(kind: str, budget: int) -> None:
    """No iterations are asked of an evaluator that trains nothing.

    Raises:
        StudyError: Some are.
    """
    if budget:
        raise StudyError(f"budget of evaluator {kind!r} must be 0, because it trains nothing, got {budget!r}")

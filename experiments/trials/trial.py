"""A trial, from the source that asks for it to the record of what became of it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any, Protocol

from analysis.records.fidelity import Fidelity
from analysis.records.record import Key, Metric, Record, State
from experiments.evaluators.base import Accuracy, EvaluatorMaker
from search_space.candidate import Candidate
from topformer import __version__
from topformer.codec import to_json

CAUSE, MACHINE = "cause", "machine"
"""In the details of a failed record: that the machine was the cause, not the design."""

_PACKAGES = ("torch", "optuna", "numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One candidate to be evaluated at one fidelity, or to be recorded as pruned.

    Attributes:
        study: Identity of the study that asks.
        number: Number within the study, from 0.
        candidate: What is evaluated.
        evaluator: Makes the evaluator, in any process.
        fidelity: That of the evaluator and candidate, with the budget.
        seed: Seed of the evaluation.
        origin: Who asked for it: `sampler`, `anchor`, `request` or `ablation`.
        labels: Axis name to chosen label.
        metrics: What is known before any evaluation: cost and latency.
        details: Further results and remarks that do not need one.
        pruned: Why it is not evaluated, in words; empty where it is.
        continues: An evaluation whose checkpoint it goes on from.
        attempt: How often it was taken up, where several drivers may do so; None where there is one.
    """

    study: str
    number: int
    candidate: Candidate
    evaluator: EvaluatorMaker
    fidelity: Fidelity
    seed: int
    origin: str
    labels: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    pruned: str = ""
    continues: Key | None = None
    attempt: int | None = None

    @property
    def key(self) -> Key:
        """What is evaluated at most once."""
        return Key(self.candidate.fingerprint, self.fidelity, self.seed)

    def record(
        self,
        state: State,
        *,
        seconds: float,
        accuracy: Accuracy | None = None,
        reason: str = "",
        is_machines: bool = False,
    ) -> Record:
        """What became of it.

        Args:
            state: How it ended.
            seconds: Wall-clock time in this process; the accuracy knows what an interrupted evaluation took before.
            accuracy: Of a complete trial.
            reason: Why it failed.
            is_machines: Whether the machine was the cause of that, not the design.
        """
        candidate = self.candidate
        return Record(
            study=self.study,
            trial=self.number,
            state=state,
            fingerprint=candidate.fingerprint,
            fidelity=self.fidelity,
            design=to_json(candidate.design),
            height=candidate.height,
            width=candidate.width,
            labels=dict(self.labels),
            metrics={**(accuracy.metrics() if accuracy else {}), **self.metrics},
            details={
                **self.details,
                **(accuracy.details() if accuracy else {}),
                **({CAUSE: MACHINE} if is_machines else {}),
            },
            reason=reason or self.pruned,
            origin=self.origin,
            seed=self.seed,
            seconds=round(accuracy.seconds if accuracy else seconds, 3),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=_versions(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueuedTrial:
    """A design that is due before any of the sampler's choice.

    Attributes:
        labels: The labels of its design.
        origin: Who asks for it.
        number: Its number, where it was begun by an earlier process.
        request: Its number in the storage, where somebody enqueued it there.
    """

    labels: Mapping[str, str]
    origin: str
    number: int | None = None
    request: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a run is.

    Attributes:
        spent: Iterations of the evaluations that are complete.
        total: Iterations of all that are asked for.
        text: The same and more in one line, such as `3/25 evaluated, 140 pruned`.
    """

    spent: int
    total: int
    text: str


class TrialSource(Protocol):
    """Says which trial comes next, and is told what became of each: a sweep, an ablation."""

    @property
    def standing(self) -> Standing:
        """How far it is, counting what it was told."""
        ...

    def next(self) -> Trial | None:
        """The next trial; None where there is none, for now or for good.

        No two trials share a key. One that is pruned is recorded without being evaluated.
        """
        ...

    def tell(self, record: Record) -> None:
        """What became of a trial, called once for each, after the record is safe on disk.

        Raises:
            StorageError: A copy of the records elsewhere cannot be kept.
        """
        ...


@cache
def _versions() -> dict[str, str]:
    return {
        "topformer-explorer": __version__,
        "python": sys.version.split()[0],
        **{name: version(name) for name in _PACKAGES},
    }

"""Recorded trainings in the place of an engine and of a run folder, so that the loop runs on them in no time."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from analysis.records.fidelity import Fidelity
from analysis.records.record import Key, Record
from analysis.results.truth_table import Rung
from experiments.engines.engine import Done, Event, Interruption, Task
from experiments.evaluators.base import Accuracy
from experiments.ladder.pool import Pool
from experiments.trials.trial import Trial


def fidelity(rung: Rung) -> Fidelity:
    """That of a recorded training, as far as a table knows it."""
    return Fidelity(evaluator=rung.evaluator, data=rung.metric, size="", budget=rung.iterations)


class RecordedEngine:
    """An `Engine` that answers at once from a table."""

    def __init__(self, pool: Pool) -> None:
        rungs = [rung for rung in (pool.table.truth, pool.early, pool.scored) if rung is not None]
        self._answers = {
            Key(score.fingerprint, fidelity(rung), score.seed): (rung, score)
            for rung in rungs
            for score in pool.table.scores[rung]
        }
        self._events: list[Event] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.clear()

    @property
    def free(self) -> int:
        """One evaluation at a time: who learns, learns from every one before the next."""
        return 1 - len(self._events)

    @property
    def busy(self) -> int:
        """Answers that nobody has taken yet."""
        return len(self._events)

    def submit(self, task: Task) -> None:
        """Look it up."""
        key: Key = task.key
        rung, score = self._answers[key]
        accuracy = Accuracy(
            metric=rung.metric,
            value=score.value,
            source=rung.source,
            budget=rung.iterations,
            seed=score.seed,
            seconds=score.seconds,
        )
        self._events.append(Done(key, accuracy))

    def wait(self, interruption: Interruption) -> list[Event]:  # noqa: ARG002 - nothing takes time
        """The answers."""
        events, self._events = self._events, []
        return events


@dataclass(slots=True)
class Memory:
    """A `Ledger` that forgets when the program ends."""

    records: list[Record] = field(default_factory=list)
    waits: bool = False

    def look(self) -> bool:
        """Nobody else is there."""
        return False

    def begin(self, trial: Trial) -> Path:
        """A folder that nobody uses."""
        return Path(trial.key.folder)

    def append(self, records: Collection[Record]) -> Collection[Key]:
        """Keep them in order."""
        self.records += records
        return {record.key for record in records}

"""The records of a sweep so far, what they add up to, and that in one line."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.records.record import Key, Record, State
from analysis.results.pareto import Objective, hypervolume, non_dominated


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where a sweep stands.

    Attributes:
        trials: Evaluated designs asked for.
        complete: Evaluated designs.
        pruned: Designs that a limit decided against.
        failed: Designs whose evaluation gave no accuracy.
        objective: Metric name of the first objective.
        best: The record that is best in it, if any.
        front: Records that no other dominates, best in the first objective first.
        hypervolume: What the front dominates, in the product of the objectives' units, against a fixed corner:
            0 for what is maximised, the largest number screened within the limits for what is minimised.
    """

    trials: int
    complete: int
    pruned: int
    failed: int
    objective: str
    best: Record | None
    front: tuple[Record, ...]
    hypervolume: float

    def __str__(self) -> str:
        parts = [f"{self.complete}/{self.trials} evaluated", f"{self.pruned:,} pruned"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.best is not None:
            value = self.best.metrics[self.objective].value
            parts += [
                f"best {value:.4g} {self.objective}",
                f"{len(self.front)} on the front",
            ]
        return ", ".join(parts)


class Results:
    """Which evaluations are known, by design, fidelity and seed, and how many of each state."""

    def __init__(self, objectives: Sequence[Objective], corner: Mapping[str, float], trials: int) -> None:
        """Start without records.

        Args:
            objectives: What the study judges by.
            corner: Family of metrics, such as `latency_ms`, to its worst value, for the hypervolume; 0 where absent.
            trials: Evaluated designs asked for.
        """
        self._objectives = objectives
        self._corner = [goal.sign * corner.get(goal.name.partition("@")[0], 0.0) for goal in objectives]
        self._trials = trials
        self._keys: set[Key] = set()
        self._failed: set[Key] = set()
        self._complete: dict[str, list[Record]] = {}
        self._places: dict[str, int] = {}
        self._counts: Counter[State] = Counter()
        self._front: tuple[Record, ...] = ()
        self._volume = 0.0

    def add(self, records: Iterable[Record]) -> None:
        """Take records into account; a failed one gives way to that of its repetition."""
        fresh = list(records)
        for record in fresh:
            self.reopen(record.key)
        self._keys.update(record.key for record in fresh)
        self._failed.update(record.key for record in fresh if record.state is State.FAILED)
        self._counts.update(record.state for record in fresh)
        complete = [record for record in fresh if record.state is State.COMPLETE]
        if complete:
            self._rank(complete)

    def reopen(self, key: Key) -> None:
        """Forget that an evaluation failed, if it did: it is tried again."""
        if key in self._failed:
            self._failed.remove(key)
            self._keys.remove(key)
            self._counts[State.FAILED] -= 1

    def __contains__(self, key: Key) -> bool:
        """Whether the evaluation has a record."""
        return key in self._keys

    def __len__(self) -> int:
        """Number of records."""
        return self._counts.total()

    @property
    def complete(self) -> int:
        """Number of evaluated designs."""
        return self._counts[State.COMPLETE]

    @property
    def status(self) -> Status:
        """Where the sweep stands."""
        return Status(
            trials=self._trials,
            complete=self.complete,
            pruned=self._counts[State.PRUNED],
            failed=self._counts[State.FAILED],
            objective=self._objectives[0].name,
            best=self._front[0] if self._front else None,
            front=self._front,
            hypervolume=self._volume,
        )

    def _rank(self, fresh: Sequence[Record]) -> None:
        """Let complete records join the others; several seeds of a design are one point, their mean."""
        has_moved = any(record.fingerprint in self._complete for record in fresh)
        for record in fresh:
            self._places.setdefault(record.fingerprint, len(self._places))
            self._complete.setdefault(record.fingerprint, []).append(record)
        names = set(self._complete)
        if not has_moved:
            # What the front dominates stays dominated: to look at all again would make each record dearer.
            names = {record.fingerprint for record in (*self._front, *fresh)}
        groups = [self._complete[name] for name in sorted(names, key=self._places.__getitem__)]
        points = np.array([self._point(group) for group in groups]) * [goal.sign for goal in self._objectives]
        members = np.flatnonzero(non_dominated(points))
        order = members[np.argsort(points[members, 0], kind="stable")]
        self._front = tuple(groups[i][0] for i in order)
        self._volume = hypervolume(points[members], self._corner)

    def _point(self, group: Sequence[Record]) -> tuple[float, ...]:
        found = [values(one, self._objectives) for one in group]
        return found[0] if len(found) == 1 else tuple(np.mean(found, axis=0))


def values(record: Record, objectives: Sequence[Objective]) -> tuple[float, ...]:
    """The record's number for each objective."""
    return tuple(record.metrics[goal.name].value for goal in objectives)

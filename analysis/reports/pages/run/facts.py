"""What all cards of a page of a run need to know of it, found once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite

from analysis.plots.naming import short_ids
from analysis.records.fidelity import Fidelity
from analysis.records.record import Record, State
from analysis.reports.run_report import Run, anchor_names
from analysis.results.design_words import in_words
from analysis.results.pareto import Front, Objective, front
from topformer.codec import from_json
from topformer.errors import DesignError

_COSTS = ("latency_ms", "macs", "parameters")
"""What stands against the accuracy where a study has no second objective."""


@dataclass(frozen=True, eq=False)
class Facts:
    """A run, and what follows from it.

    Attributes:
        run: The run.
        name: What the run is called by commands: its folder, or its name under `runs/`.
        is_running: Whether a process writes into it now.
        worth: The objective on the vertical axis: the first that is maximised.
        price: The objective on the horizontal axis; the worth where nothing else is known.
        ranked: The complete records of the one fidelity that is ranked.
        others: Fidelity to its number of complete records that are not ranked, because they are not comparable.
    """

    run: Run
    name: str
    is_running: bool
    worth: Objective
    price: Objective
    ranked: Front
    others: Mapping[Fidelity, int]

    @classmethod
    def of(cls, run: Run, name: str, *, is_running: bool) -> "Facts":
        """The facts of a run; of several fidelities the highest rung, then the largest budget is ranked."""
        # Of a ladder the lower rungs are told too, and ranked while no design has come to the last one.
        run = replace(run, records=(*run.records, *run.lower), lower=())
        counts = Counter(record.fidelity for record in run.records if record.state is State.COMPLETE)
        heights = {rung.fidelity: height for height, rung in enumerate(run.rungs)}
        chosen = max(counts, key=lambda one: (heights.get(one, -1), one.budget, counts[one])) if counts else None
        worth = next((goal for goal in run.objectives if goal.direction == "max"), run.objectives[0])
        price = next((goal for goal in run.objectives if goal is not worth), None) or _cost(run.records) or worth
        kept = [record for record in run.records if record.fidelity == chosen]
        goals = (worth,) if price is worth else (worth, price)
        objectives = run.objectives if len(run.objectives) > 1 else goals
        return cls(
            run=run,
            name=name,
            is_running=is_running,
            worth=worth,
            price=price,
            ranked=front(kept, objectives),
            others={one: count for one, count in counts.items() if one != chosen},
        )

    @cached_property
    def states(self) -> Counter[State]:
        """Number of records of each state."""
        return Counter(record.state for record in self.run.records)

    @cached_property
    def members(self) -> tuple[Record, ...]:
        """The front, best in the worth first."""
        sign = self.worth.sign
        return tuple(sorted(self.ranked.members, key=lambda record: sign * record.metrics[self.worth.name].value))

    @cached_property
    def axes(self) -> list[str]:
        """Names of the axes, in the order of appearance."""
        return list(dict.fromkeys(axis for record in self.run.records for axis in record.labels))

    @cached_property
    def ids(self) -> Mapping[str, str]:
        """Fingerprint to the name of a point: a preset, or the first letters of the fingerprint."""
        prints = [record.fingerprint for record in self.run.records]
        presets = {key: name for key, name in anchor_names(self.run.records).items() if name != "anchor"}
        return {**short_ids(prints), **presets}

    @cached_property
    def words(self) -> Mapping[str, str]:
        """Fingerprint to the design in words; of a design of another version its labels."""
        return {record.fingerprint: _words(record) for record in self.run.records}

    @property
    def limit(self) -> float | None:
        """The largest price that the study allows, where it limits it."""
        limits = self.run.limits
        return limits.get(self.price.name, limits.get(self.price.name.partition("@")[0]))

    def value(self, record: Record, goal: Objective) -> float:
        """The number of a ranked record."""
        return record.metrics[goal.name].value


def _words(record: Record) -> str:
    try:
        return in_words(from_json(dict(record.design)))
    except DesignError:
        return ", ".join(f"{axis} {label}" for axis, label in record.labels.items())


def _cost(records: Sequence[Record]) -> Objective | None:
    """A cost that all complete records have."""
    complete = [record for record in records if record.state is State.COMPLETE]
    names = dict.fromkeys(name for record in complete for name in record.metrics)
    found = [
        name
        for family in _COSTS
        for name in names
        if name.partition("@")[0] == family
        and all(name in record.metrics and isfinite(record.metrics[name].value) for record in complete)
    ]
    return Objective(found[0], "min") if found else None

"""Transfer card: what changes between two devices over the same designs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from analysis.records.record import Record, State
from analysis.results.pareto import Objective, membership, non_dominated
from search_space.candidate import Candidate
from search_space.cost.table import costs
from search_space.latency.estimate import LatencyTable
from search_space.latency.model import DeviceModel
from topformer.codec import from_json
from topformer.errors import InputError, unknown_name

SURE = 0.9
"""Difference of the probabilities of being on either front from which a switch is called sure: a choice."""

DRAWS = 500
"""Draws of the errors of the latencies."""

COSTS = ("parameters", "macs")
"""Costs that stand in for the accuracy where no design has one: the more, the better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A design that is on the Pareto front of one device only.

    Attributes:
        fingerprint: Of the candidate.
        first_ms: Latency on the first device.
        second_ms: Latency on the second.
        worth: Its accuracy, or the cost that stands in for it.
        first_chance: Probability of being on the first device's front, as its latencies are known.
        second_chance: The same on the second.
    """

    fingerprint: str
    first_ms: float
    second_ms: float
    worth: float
    first_chance: float
    second_chance: float

    @property
    def sure(self) -> bool:
        """Whether the errors of the latencies leave little doubt of the switch."""
        return abs(self.first_chance - self.second_chance) >= SURE


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCard:
    """What changes from one device to another, as both are predicted.

    Attributes:
        first: Name of the one device.
        second: Name of the other.
        designs: Number of designs.
        ratio: 5 %, 50 % and 95 % quantile of the second latency over the first: how far one factor is from enough.
        kendall: Rank correlation of the two latencies; 1 where both order all designs alike.
        worth: What the fronts weigh latency against: a metric, `parameters` or `macs`, more being better.
        front_first: Members of the first device's front.
        front_second: Members of the second's.
        leaving: Members of the first front that are not on the second, fastest first.
        joining: Members of the second front that are not on the first, fastest first.
    """

    first: str
    second: str
    designs: int
    ratio: tuple[float, float, float]
    kendall: float
    worth: str
    front_first: int
    front_second: int
    leaving: tuple[Switch, ...]
    joining: tuple[Switch, ...]

    @property
    def sure(self) -> int:
        """Switches that the errors of the latencies leave little doubt of."""
        return sum(one.sure for one in (*self.leaving, *self.joining))

    @property
    def drift(self) -> float:
        """The 95 % over the 5 % quantile of the ratio: 1 where one factor turns one device into the other."""
        return self.ratio[2] / self.ratio[0]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "drift": self.drift, "sure": self.sure}

    def render(self, shown: int = 5) -> str:
        """As text, with at most `shown` designs of those that leave and of those that join."""
        low, median, high = self.ratio
        staying = self.front_first - len(self.leaving)
        lines = [
            f"{self.first} -> {self.second}, {self.designs:,} designs, both predicted up to the logits",
            f"latency ratio: median {median:.3g}, 5 to 95 %: {low:.3g} to {high:.3g} (drift {self.drift:.2f})",
            f"rank correlation (Kendall): {self.kendall:.3f}",
            f"front of {self.worth} against latency: {self.front_first} members, then {self.front_second}; "
            f"{staying} stay, {len(self.leaving)} leave, {len(self.joining)} join",
            f"of these {len(self.leaving) + len(self.joining)} switches {self.sure} are sure, as well as the latencies "
            "are known; P: of being on either front",
        ]
        for word, switches in (("leaves", self.leaving), ("joins", self.joining)):
            lines += [
                f"  {word:<6} {one.fingerprint:<20} {one.first_ms:9.3f} -> {one.second_ms:9.3f} ms  "
                f"{self.worth} {one.worth:,.{0 if self.worth in COSTS else 2}f}  "
                f"P {one.first_chance:.2f} -> {one.second_chance:.2f}"
                for one in switches[:shown]
            ]
            if len(switches) > shown:
                lines.append(f"  {word:<6} {len(switches) - shown} more")
        return "\n".join(lines)


def compare_costs(
    first: DeviceModel, second: DeviceModel, candidates: Sequence[Candidate], *, worth: str = "parameters"
) -> TransferCard:
    """The card of designs that nobody trained: a cost stands in for the accuracy.

    Raises:
        InputError: There is no such cost, or there are fewer than two designs.
    """
    if worth not in COSTS:
        raise InputError(unknown_name("cost", worth, COSTS))
    table = costs(candidates)
    return _card(first, second, candidates, worth, np.array(getattr(table, worth), dtype=np.float64))


def compare_records(
    first: DeviceModel, second: DeviceModel, records: Sequence[Record], goal: Objective
) -> TransferCard:
    """The card of the evaluated designs of a run, by their accuracy.

    Raises:
        InputError: Fewer than two complete records have the metric.
    """
    chosen = [record for record in records if record.state is State.COMPLETE and goal.name in record.metrics]
    candidates = [Candidate(design=from_json(dict(one.design)), height=one.height, width=one.width) for one in chosen]
    values = np.array([record.metrics[goal.name].value for record in chosen], dtype=np.float64)
    return _card(first, second, candidates, goal.name, -goal.sign * values)


def _card(
    first: DeviceModel, second: DeviceModel, candidates: Sequence[Candidate], name: str, worth: NDArray[np.float64]
) -> TransferCard:
    if len(candidates) < 2:
        raise InputError(f"a comparison needs at least 2 designs with {name}, got {len(candidates)}")
    tables = [model.estimate_many(candidates) for model in (first, second)]
    times, chances = [table.milliseconds for table in tables], [_chances(table, worth) for table in tables]
    on_first, on_second = (non_dominated(np.stack([own, -worth], axis=1)) for own in times)
    low, median, high = np.quantile(times[1] / times[0], (0.05, 0.5, 0.95)).tolist()

    def switches(mask: NDArray[np.bool_], order: NDArray[np.float64]) -> tuple[Switch, ...]:
        places = np.flatnonzero(mask)
        return tuple(
            Switch(
                fingerprint=candidates[at].fingerprint,
                first_ms=float(times[0][at]),
                second_ms=float(times[1][at]),
                worth=float(worth[at]),
                first_chance=float(chances[0][at]),
                second_chance=float(chances[1][at]),
            )
            for at in places[np.argsort(order[places], kind="stable")].tolist()
        )

    return TransferCard(
        first=first.name,
        second=second.name,
        designs=len(candidates),
        ratio=(low, median, high),
        kendall=float(kendalltau(times[0], times[1]).statistic),
        worth=name,
        front_first=int(on_first.sum()),
        front_second=int(on_second.sum()),
        leaving=switches(on_first & ~on_second, times[0]),
        joining=switches(on_second & ~on_first, times[1]),
    )


def _chances(table: LatencyTable, worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of each design to be on the front, (N,): the device's error moves all, its own each alone."""
    points = np.stack([np.log(table.milliseconds), -worth], axis=1)
    none = np.zeros(len(worth))
    own, shared = (np.stack([one, none], axis=1) for one in (table.own_sd, table.shared_sd))
    return membership(points, own, own, shared, draws=DRAWS, seed=0)

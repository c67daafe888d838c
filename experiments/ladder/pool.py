"""Designs whose trainings are recorded, as something that can be searched: the nearest of them answers a proposal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.results.ladder import OVER
from analysis.results.pareto import hypervolume
from analysis.results.truth_table import SUPERNET, TRAINED, Rung, TruthTable
from experiments.search.definition import LATENCY, Limits
from experiments.search.ehvi.designs import Designs, distances
from search_space.latency.calibration.devices import device
from search_space.spaces.space import Space, space
from topformer.errors import StudyError

# P designs of the pool, A axes.

Floats = NDArray[np.float64]
MACS = "macs"


@dataclass(frozen=True, eq=False)
class Pool:
    """A truth table with its space.

    Attributes:
        table: Designs and scores.
        space: Where the designs are from.
        cost: Name of the cost that is the second objective: the latency, or MACs where the table has none.
        fingerprints: Of the designs with a full training; all else is in their order.
    """

    table: TruthTable
    space: Space
    cost: str
    fingerprints: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, table: TruthTable) -> "Pool":
        """The pool of a table.

        Raises:
            StudyError: The table does not say its space, or two designs at least are not there.
        """
        values = table.by_seed(table.truth)
        found = tuple(one for one in table.designs if one in values)
        if len(found) < 2:
            raise StudyError(f"a replay needs at least 2 designs with a full training, got {len(found)}")
        has_latency = all(LATENCY in table.designs[one].costs for one in found) and table.protocol.get("device")
        return cls(table, _space(table.protocol), LATENCY if has_latency else MACS, found)

    def __len__(self) -> int:
        return len(self.fingerprints)

    def labels(self, place: int) -> Mapping[str, str]:
        """The labels of a design."""
        return self.table.designs[self.fingerprints[place]].labels

    @cached_property
    def costs(self) -> Floats:
        """(P,)."""
        return np.array([self.table.designs[one].costs[self.cost] for one in self.fingerprints])

    @cached_property
    def values(self) -> tuple[Mapping[int, float], ...]:
        """Accuracy by seed."""
        by_seed = self.table.by_seed(self.table.truth)
        return tuple(by_seed[one] for one in self.fingerprints)

    @cached_property
    def seeds(self) -> Mapping[Rung, Mapping[str, list[int]]]:
        """For each rung fingerprint to its seeds, ascending."""
        return {
            rung: {name: sorted(values) for name, values in self.table.by_seed(rung).items()}
            for rung in self.table.scores
        }

    @cached_property
    def seconds(self) -> Floats:
        """Seconds of one full training: (P,), the mean over seeds."""
        found: dict[str, list[float]] = {one: [] for one in self.fingerprints}
        for score in self.table.scores[self.table.truth]:
            found[score.fingerprint].append(score.seconds)
        return np.array([np.mean(found[one]) for one in self.fingerprints])

    @cached_property
    def early(self) -> Rung | None:
        """The training's own curve at half of its schedule, or the first later point; None where there is none."""
        truth = self.table.truth
        found = [
            rung
            for rung in self.table.scores
            if rung.source == TRAINED and rung.schedule == truth.schedule and rung.evaluator == truth.evaluator
            and truth.schedule / 2 <= rung.iterations < truth.schedule
        ]  # fmt: skip
        return min(found, key=lambda rung: rung.iterations, default=None)

    @cached_property
    def scored(self) -> Rung | None:
        """The supernet that has scored every design; None where there is none."""
        whole = set(self.fingerprints)
        found = [rung for rung in self.table.scores if rung.source == SUPERNET]
        return next((rung for rung in found if whole <= self.table.by_seed(rung).keys()), None)

    @cached_property
    def scored_seconds(self) -> Floats:
        """Seconds of one score of that supernet: (P,), with a share of its training as if it scored `OVER` designs."""
        if self.scored is None:
            return np.zeros(len(self))
        share = self.table.fixed_seconds.get(self.scored.name, 0.0) / OVER
        seconds = {score.fingerprint: score.seconds for score in self.table.scores[self.scored]}
        return np.array([seconds[one] + share for one in self.fingerprints])

    def share(self, places: list[int]) -> float:
        """Share of the hypervolume of the front of the whole pool, accuracies averaged over seeds."""
        return self._volume(places) / self._whole

    def nearest(self, labels: Mapping[str, str], left: set[int], random: Random) -> int:
        """The design among those that are left whose labels are nearest to a proposal's; of equally near ones any."""
        row = self._row(labels)
        apart = sum(
            table[number, column] for table, number, column in zip(self._tables, row, self._rows.T, strict=True)
        )
        open_places = np.array(sorted(left))
        nearness = np.asarray(apart)[open_places]
        return int(random.choice(open_places[nearness <= nearness.min() + 1e-12].tolist()))

    def designs(self) -> Designs:
        """The pool as designs that a sampler may choose from, with their costs."""
        found = Designs(self.space, Limits(), self._device)
        found.add([self.labels(place) for place in range(len(self))])
        found.is_whole = True
        return found

    @property
    def _device(self) -> Any:
        return device(self.table.protocol["device"]) if self.cost == LATENCY else None

    @cached_property
    def _points(self) -> Floats:
        means = np.array([np.mean(list(by_seed.values())) for by_seed in self.values])
        return np.stack([-means, self.costs], axis=1)

    @cached_property
    def _whole(self) -> float:
        return self._volume(list(range(len(self))))

    def _volume(self, places: list[int]) -> float:
        """Up to the worst of the pool in each objective."""
        corner = self._points.max(axis=0)
        return hypervolume(self._points[places], corner)

    @cached_property
    def _tables(self) -> tuple[Floats, ...]:
        return distances(self.space.axes)

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        return np.stack([self._row(self.labels(place)) for place in range(len(self))])

    def _row(self, labels: Mapping[str, str]) -> NDArray[np.int64]:
        """Place of each axis's label; the last row of its table of distances where the axis does not apply."""
        axes = self.space.axes
        return np.array([axis.labels.index(labels[axis.name]) if axis.name in labels else -1 for axis in axes])


def _space(protocol: Mapping[str, Any]) -> Space:
    described = protocol.get("space")
    if not isinstance(described, dict) or not {"name", "base", "height", "width"} <= described.keys():
        raise StudyError(f"a replay needs a table whose protocol names its space, got {described!r}")
    whole = space(described["name"], base=described["base"], height=described["height"], width=described["width"])
    return whole.restricted(described["axes"]) if "axes" in described else whole

"""The expected gain of hypervolume of a design whose costs are known exactly and whose accuracy is not (EHVI).

With one uncertain objective the integral is a finite sum: the costs that a design would dominate fall into parts, in
each of which the best accuracy so far is one number, its level, and a part adds its volume times the expected
improvement over its level. With several uncertain objectives: Emmerich, Deutz and Klinkenberg (CEC 2011), and Yang,
Emmerich, Deutz and Baeck (Journal of Global Optimization 75, 2019).
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import qmc

# N designs, n of them, C costs, F evaluated designs, L levels, Q probes.

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

PROBES = 256
"""Points of the box of costs at which the front is looked at, where there are several costs."""
SHORTLIST = 500
"""Designs whose expected gain is computed: those with the largest optimistic one."""
OPTIMISM = 2.0
"""Standard deviations above the mean that count as optimistic."""
_LEAST = 1e-12


def expected_improvement(mean: Floats, deviation: Floats, level: Floats | float) -> Floats:
    """The expectation of max(0, accuracy - level) for a normal accuracy.

    Reference: Jones, Schonlau and Welch, Journal of Global Optimization 13, 1998, equation 15.
    """
    above = mean - level
    scaled = above / np.maximum(deviation, _LEAST)
    density = np.exp(-0.5 * scaled**2) / np.sqrt(2 * np.pi)
    return np.asarray(above * ndtr(scaled) + deviation * density, dtype=np.float64)


class _Front(Protocol):
    """The best accuracies so far, as a function of the costs."""

    def optimistic(self, accuracies: Floats) -> Floats:
        """What each of the N designs would add with these accuracies: (N,)."""
        ...

    def parts(self, places: Places) -> tuple[Floats, Floats]:
        """The levels, (L,), and the volume of costs at each level that n designs dominate, (n, L)."""
        ...


class CostBox:
    """The costs of N designs, in the box that ends at the costs of the reference point."""

    def __init__(self, costs: Floats, corner: Floats, seed: int = 0) -> None:
        """Prepare what does not depend on any accuracy.

        Args:
            costs: (N, C), smaller is better; C may be 0.
            corner: (C,), the costs of the reference point.
            seed: Of the probes, where there are several costs.
        """
        self._costs, self._corner = costs, corner
        self._probes = _Probes(costs, corner, seed) if costs.shape[1] > 1 else None

    def gains(
        self,
        mean: Floats,
        deviation: Floats,
        costs: Floats,
        accuracies: Floats,
        floor: float,
        *,
        among: Places | None = None,
    ) -> Floats:
        """The expected gain of each design, (N,); 0 for those that are not among the `SHORTLIST` most promising.

        Exact for up to one cost; with several the volumes are those of a quasi-random sample.

        Args:
            mean: (N,), of the accuracy.
            deviation: (N,), of the accuracy.
            costs: (F, C), of the evaluated designs.
            accuracies: (F,), of the evaluated designs.
            floor: The accuracy of the reference point.
            among: The places that matter, all by default; the others have -1.
        """
        front = self._front(costs, accuracies, floor)
        places = np.arange(len(mean)) if among is None else among
        promise = front.optimistic(mean + OPTIMISM * deviation)[places]
        chosen = places[np.argpartition(-promise, min(SHORTLIST, len(places)) - 1)[:SHORTLIST]]
        levels, volumes = front.parts(chosen)
        improvements = expected_improvement(mean[chosen, None], deviation[chosen, None], levels)
        found = np.full(len(mean), -1.0)
        found[places] = 0.0
        found[chosen] = (improvements * volumes).sum(axis=1)
        return found

    def _front(self, costs: Floats, accuracies: Floats, floor: float) -> _Front:
        if self._probes is not None:
            return _Probed(self._probes, costs, accuracies, floor)
        if costs.shape[1] == 1:
            return _Staircase(self._costs[:, 0], float(self._corner[0]), costs[:, 0], accuracies, floor)
        return _Best(max([floor, *accuracies.tolist()]))


class _Best:
    """No cost: the front is one number."""

    def __init__(self, best: float) -> None:
        self._best = best

    def optimistic(self, accuracies: Floats) -> Floats:
        return np.maximum(0.0, accuracies - self._best)

    def parts(self, places: Places) -> tuple[Floats, Floats]:
        return np.array([self._best]), np.ones((len(places), 1))


class _Staircase:
    """One cost: levels that rise with it, each from where a design reached it to where a better one did."""

    def __init__(self, own: Floats, corner: float, costs: Floats, accuracies: Floats, floor: float) -> None:
        self._own, self._corner = np.minimum(own, corner), corner
        order = np.lexsort((-accuracies, costs))
        order = order[costs[order] < corner]
        best = np.maximum.accumulate(np.concatenate([[floor], accuracies[order]]))
        rises = np.flatnonzero(np.diff(best) > 0)
        self._levels = best[np.concatenate([[0], rises + 1])]
        first = min([corner, *own.tolist(), *costs.tolist()])
        self._edges = np.concatenate([[first], costs[order][rises], [corner]])

    def optimistic(self, accuracies: Floats) -> Floats:
        """The area between the accuracy and the stairs, from the own cost to the first stair that is as high."""
        areas = np.concatenate([[0.0], np.cumsum(self._levels * np.diff(self._edges))])
        end = np.maximum(self._edges[np.searchsorted(self._levels, accuracies)], self._own)
        under = np.interp(end, self._edges, areas) - np.interp(self._own, self._edges, areas)
        return np.where(accuracies > self._levels[0], accuracies * (end - self._own) - under, 0.0)

    def parts(self, places: Places) -> tuple[Floats, Floats]:
        starts = np.maximum(self._edges[:-1], self._own[places, None])
        return self._levels, np.maximum(0.0, self._edges[1:] - starts)


class _Probes:
    """Several costs: points of the box, and which of them each design dominates."""

    def __init__(self, costs: Floats, corner: Floats, seed: int) -> None:
        low = np.minimum(costs.min(axis=0), corner)
        cube = qmc.Sobol(costs.shape[1], seed=seed).random(PROBES)
        self.points = low + cube * (corner - low)
        inside = [(costs <= point).all(axis=1) for point in self.points]
        self.volumes = np.stack(inside, axis=1).astype(np.float32) * np.float32(np.prod(corner - low) / PROBES)


class _Probed:
    """Several costs: the best accuracy so far at each probe."""

    def __init__(self, probes: _Probes, costs: Floats, accuracies: Floats, floor: float) -> None:
        self._volumes = probes.volumes
        reached = (costs[None] <= probes.points[:, None]).all(axis=2)
        best = np.where(reached, accuracies, floor).max(axis=1, initial=floor)
        self._levels, self._level_of = np.unique(best, return_inverse=True)

    def optimistic(self, accuracies: Floats) -> Floats:
        levels, volumes = self._levels, self._grouped(self._volumes)
        return np.asarray((np.maximum(0, accuracies[:, None] - levels) * volumes).sum(axis=1), dtype=np.float64)

    def parts(self, places: Places) -> tuple[Floats, Floats]:
        return self._levels, self._grouped(self._volumes[places]).astype(np.float64)

    def _grouped(self, volumes: NDArray[np.float32]) -> NDArray[np.float32]:
        return volumes @ np.eye(len(self._levels), dtype=np.float32)[self._level_of]

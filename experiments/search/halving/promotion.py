"""Which designs of a rung go on to the next: by non-dominated rank with crowding, each stratum by its share."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.results.pareto import ranks

# n designs, m objectives; points are minimised in every column.

Floats = NDArray[np.float64]


def promotion_order(points: Floats, strata: Sequence[Hashable]) -> list[int]:
    """The places of the designs (n, m) in the order in which they go on.

    Within a stratum the better rank comes first, and within a rank the design that is more alone (Deb et al., A fast
    and elitist multiobjective genetic algorithm, IEEE TEC 2002). Strata then take turns by their sizes: whatever number
    of designs goes on, every stratum is represented in proportion, and whom no rank can compare is not compared.

    Args:
        points: What the designs are judged by.
        strata: Of each design; designs are compared within theirs.
    """
    overall, alone = ranks(points), crowding(points)
    members: dict[Hashable, list[int]] = defaultdict(list)
    for place, stratum in enumerate(strata):
        members[stratum].append(place)
    share = np.empty(len(points))
    for places in members.values():
        own = np.array(places)
        order = np.lexsort((-crowding(points[own]), ranks(points[own])))
        share[own[order]] = (np.arange(len(own)) + 0.5) / len(own)
    order = np.lexsort((-alone, overall, share))
    return [int(place) for place in order]


def crowding(points: Floats) -> Floats:
    """How far apart the neighbours of each design (n, m) are among those of its rank, summed over the objectives: (n,).

    Infinite at the ends of a front, so that these go on first.
    """
    distance = np.zeros(len(points))
    rank_of = ranks(points)
    for rank in np.unique(rank_of):
        front = np.flatnonzero(rank_of == rank)
        for column in points[front].T:
            order = np.argsort(column, kind="stable")
            sorted_column = column[order]
            gaps = np.full(len(front), np.inf)
            width = sorted_column[-1] - sorted_column[0]
            gaps[order[1:-1]] = (sorted_column[2:] - sorted_column[:-2]) / (width or 1.0)
            distance[front] += gaps
    return distance

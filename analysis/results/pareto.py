"""Pareto fronts over any number of objectives: who is on them, how surely, and the volume they dominate."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp, isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.records.fidelity import check_one
from analysis.records.record import Metric, Record, State
from topformer.errors import StudyError

# n points, m objectives, d Monte-Carlo draws; points are minimised in every column.

Direction = Literal["min", "max"]
Points = NDArray[np.float64]

NORMAL_95 = 1.959964
"""Half width of the central 95 % of a normal distribution, in standard deviations."""

_MANY, _FAR = 2000, 4.0
"""Of more points than this, those that lose even if all goes their way by so many standard deviations are not drawn:
in a thousand draws, none of them would be on the front once."""

_LEAST_DRAWS, _MOST_DRAWN = 100, 10_000_000
"""Draws that are always made, and points drawn in all of them together: some seconds."""

_UNITS: dict[str, tuple[str, float]] = {
    "miou": ("%", 1.0),
    "latency_ms": ("ms", 1.0),
    "macs": ("GMACs", 1e-9),
    "parameters": ("M", 1e-6),
}


@dataclass(frozen=True, slots=True)
class Objective:
    """One goal of a study.

    Attributes:
        name: The metric, exactly as records name it.
        direction: `min` or `max`.
        label: What a plot or table calls it; the exact name of the metric if empty.
        unit: Unit of a displayed number; of the metric's family (before the `@`) if empty and known.
        scale: A displayed number is the value times this: 1e-9 shows MACs as GMACs.

    Raises:
        StudyError: The direction is neither.
    """

    name: str
    direction: Direction
    label: str = ""
    unit: str = ""
    scale: float = 0.0

    def __post_init__(self) -> None:
        if self.direction not in ("min", "max"):
            raise StudyError(f"direction of objective {self.name!r} must be min or max, got {self.direction!r}")
        unit, scale = _UNITS.get(self.name.partition("@")[0], ("", 1.0))
        # Frozen, so the fields that follow from the name are set the long way.
        object.__setattr__(self, "label", self.label or self.name)
        object.__setattr__(self, "scale", self.scale or (1.0 if self.unit else scale))
        object.__setattr__(self, "unit", self.unit or unit)

    @property
    def sign(self) -> int:
        """The factor that makes smaller better."""
        return 1 if self.direction == "min" else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The complete records of a study, ranked.

    Attributes:
        objectives: What they are ranked by.
        records: Those with a finite number for every objective, in the order of the study.
        ranks: 0 for the front, 1 for the front without it, and so on; same order.
        probabilities: Probability of being on the front, under the intervals of the metrics; same order.
        excluded: Complete records without a finite number for every objective.
    """

    objectives: tuple[Objective, ...]
    records: tuple[Record, ...]
    ranks: tuple[int, ...]
    probabilities: tuple[float, ...]
    excluded: int

    @property
    def members(self) -> tuple[Record, ...]:
        """The records on the front, best in the first objective first."""
        first = self.objectives[0]
        on_front = [record for record, rank in zip(self.records, self.ranks, strict=True) if rank == 0]
        return tuple(sorted(on_front, key=lambda record: first.sign * record.metrics[first.name].value))


def front(records: Iterable[Record], objectives: Sequence[Objective], *, draws: int = 2000, seed: int = 0) -> Front:
    """Rank the complete records by non-domination.

    Of equal points all stay on the front: none of them dominates another. Pruned and failed records take no part.

    Args:
        records: Records of one study, in any state.
        objectives: At least one.
        draws: Monte-Carlo draws behind the probabilities.
        seed: Seed of the draws.

    Raises:
        StudyError: There is no objective, or the accuracies are of several fidelities.
    """
    if not objectives:
        raise StudyError("a Pareto front needs at least one objective, got none")
    complete = [record for record in records if record.state is State.COMPLETE]
    check_one((record.fidelity for record in complete), "a Pareto front")
    ranked = [record for record in complete if all(_is_known(record, goal) for goal in objectives)]
    metrics = [[record.metrics[goal.name] for goal in objectives] for record in ranked]
    signs = np.array([goal.sign for goal in objectives])
    values = np.array([[metric.value for metric in row] for row in metrics]).reshape(-1, len(objectives))
    drawn = [_drawn([row[place] for row in metrics], goal.sign) for place, goal in enumerate(objectives)]
    chances = membership(*(np.stack(part, axis=1) for part in zip(*drawn, strict=True)), draws=draws, seed=seed)
    return Front(
        objectives=tuple(objectives),
        records=tuple(ranked),
        ranks=tuple(ranks(values * signs).tolist()),
        probabilities=tuple(chances.tolist()),
        excluded=len(complete) - len(ranked),
    )


def non_dominated(points: Points) -> NDArray[np.bool_]:
    """Which of the finite points (n, m), smaller better, no other point dominates.

    A point dominates another if it is nowhere worse and somewhere better; so of equal points all are kept.
    """
    mask = np.zeros(len(points), dtype=bool)
    rest = np.lexsort(points.T[::-1])
    while rest.size:
        # The first in lexicographic order is dominated by nothing that is left.
        best = points[rest[0]]
        mask[rest[0]] = True
        equal = (points[rest] == best).all(axis=1)
        mask[rest[equal]] = True
        rest = rest[(points[rest] < best).any(axis=1)]
    return mask


def ranks(points: Points) -> NDArray[np.int64]:
    """Number of the front of each point (n, m), smaller better: 0, then 1 once front 0 is taken away, and so on."""
    if points.shape[1] == 2:
        return _ranks_of_two(points)
    rank_of = np.full(len(points), -1, dtype=np.int64)
    rank = 0
    while (rest := np.flatnonzero(rank_of < 0)).size:
        rank_of[rest[non_dominated(points[rest])]] = rank
        rank += 1
    return rank_of


def _ranks_of_two(points: Points) -> NDArray[np.int64]:
    """`ranks` for two objectives by one sort and a search per point: hundreds of fronts are not peeled one by one."""
    rank_of = np.empty(len(points), dtype=np.int64)
    # Of each front the last point so far: in lexicographic order, it dominates a later point if any of its front does.
    lasts: list[tuple[float, float]] = []
    for index in np.lexsort((points[:, 1], points[:, 0])).tolist():
        x, y = points[index].tolist()
        rank = bisect_left(lasts, (y, x))
        lasts[rank : rank + 1] = [(y, x)]
        rank_of[index] = rank
    return rank_of


def membership(
    points: Points, below: Points, above: Points, shared: Points | float = 0.0, *, draws: int, seed: int
) -> Points:
    """Probability of each point (n, m), smaller better, to be on the front if it were measured without error.

    Each coordinate is drawn from a normal distribution in two halves, as wide as the deviations say on each side;
    these errors are independent. An error that all points share, such as that of a device's model, is drawn once for
    a column and moves every point by its own deviation: where these are equal, it does not change who is on the front.

    Args:
        points: The points.
        below: Standard deviation towards smaller values, 0 where the coordinate is exact.
        above: The same towards larger values.
        shared: Standard deviation of the error that is shared within a column.
        draws: Monte-Carlo draws; fewer where very many points have a chance.
        seed: Seed of the draws.

    Returns:
        (n,) shares of draws; exactly 0 or 1 where nothing has an error.
    """
    # What moves all points alike changes nothing, so that only the differences are drawn.
    apart = np.broadcast_to(shared, points.shape)
    apart = apart - apart.min(axis=0, initial=np.inf)
    if not (below.any() or above.any() or apart.any()):
        return non_dominated(points).astype(float)
    chances = np.zeros(len(points))
    test: Callable[[Points], NDArray[np.bool_]] = _on_front_of_two if points.shape[1] == 2 else non_dominated
    drawn = np.arange(len(points))
    if len(points) > _MANY:
        best, worst = points - _FAR * (below + apart), points + _FAR * (above + apart)
        drawn = np.flatnonzero(_has_a_chance(best, worst, test))
    points, below, above, apart = points[drawn], below[drawn], above[drawn], apart[drawn]
    draws = min(draws, max(_LEAST_DRAWS, _MOST_DRAWN // len(points)))
    random = np.random.default_rng(seed)
    count = np.zeros(len(points))
    for _ in range(draws):
        error = random.standard_normal(points.shape)
        moved = apart * random.standard_normal(points.shape[1]) if apart.any() else 0.0
        count += test(points + moved + error * np.where(error < 0, below, above))
    chances[drawn] = count / draws
    return chances


def _has_a_chance(best: Points, worst: Points, test: Callable[[Points], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Which points are not dominated at their best by what another is at its worst."""
    mask = np.ones(len(best), dtype=bool)
    for corner in np.unique(worst[test(worst)], axis=0):
        mask &= ~((corner <= best).all(axis=1) & (corner < best).any(axis=1))
    return mask


def hypervolume(points: Points, reference: Sequence[float] | Points) -> float:
    """Volume that the points (n, m), smaller better, dominate within the box that ends at the reference (m,).

    Exact for any m by slicing along the last objective (While et al., A faster algorithm for calculating
    hypervolume, IEEE TEC 2006); the time grows like n^(m - 1) log n. A point outside the box adds nothing.
    """
    corner = np.asarray(reference, dtype=float)
    inside = points[(points < corner).all(axis=1)]
    return _volume(inside[non_dominated(inside)], corner)


def _volume(points: Points, corner: Points) -> float:
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(corner[0] - points.min())
    ordered = points[np.argsort(points[:, -1], kind="stable")]
    if points.shape[1] == 2:
        best = np.minimum.accumulate(ordered[:, 0])
        return float(((corner[0] - best) * np.diff(ordered[:, 1], append=corner[1])).sum())
    depths = np.diff(ordered[:, -1], append=corner[-1])
    slices = (_volume(ordered[: i + 1, :-1], corner[:-1]) if depth > 0 else 0.0 for i, depth in enumerate(depths))
    return float(sum(area * depth for area, depth in zip(slices, depths, strict=True)))


def _on_front_of_two(points: Points) -> NDArray[np.bool_]:
    """`non_dominated` for two objectives: one sort instead of one pass per member."""
    order = np.argsort(points[:, 0])
    x, y = points[order].T
    if (x[1:] == x[:-1]).any():
        # By both columns, which takes several times as long; drawn points do not tie.
        order = np.lexsort((points[:, 1], points[:, 0]))
        x, y = points[order].T
    best_before = np.minimum.accumulate(np.concatenate(([np.inf], y[:-1])))
    starts = np.concatenate(([True], (np.diff(x) != 0) | (np.diff(y) != 0)))
    # Equal points share the verdict of the first of them.
    first = np.maximum.accumulate(np.where(starts, np.arange(len(x)), 0))
    mask = np.empty(len(x), dtype=bool)
    mask[order] = (y < best_before)[first]
    return mask


def _is_known(record: Record, goal: Objective) -> bool:
    return goal.name in record.metrics and isfinite(record.metrics[goal.name].value)


def _drawn(metrics: Sequence[Metric], sign: int) -> tuple[Points, Points, Points, Points]:
    """Values, deviations below and above and shared ones of a column, each (n,), where smaller is better.

    They are of logs where the errors are: that is monotone, so that no point dominates more or less, and an error that
    is a factor is a sum then.
    """
    told = [metric for metric in metrics if metric.own_sd is not None]
    is_log = bool(told) and all(min(metric.value, *_ends(metric)) > 0 for metric in metrics)
    scale = np.log if is_log else np.asarray
    values = scale(np.array([metric.value for metric in metrics]))
    ends = scale(np.array([_ends(metric) for metric in metrics]).reshape(-1, 2))
    below, above = np.abs(values[:, None] - ends).T / NORMAL_95
    shared = np.zeros(len(metrics))
    if is_log:
        own = np.array([np.nan if metric.own_sd is None else metric.own_sd for metric in metrics])
        below, above = np.where(np.isnan(own), below, own), np.where(np.isnan(own), above, own)
        shared = np.array([metric.shared_sd or 0.0 for metric in metrics])
    # Where larger is better, the upper end of the interval becomes the lower one.
    return (values, below, above, shared) if sign > 0 else (-values, above, below, shared)


def _ends(metric: Metric) -> tuple[float, float]:
    low, high = (metric.value if end is None else end for end in (metric.low, metric.high))
    return low, high


def own_interval(metric: Metric) -> tuple[float, float] | None:
    """The 95 % interval of the error of this one alone: how far it may move beside the others; None where unknown."""
    if metric.own_sd is None:
        return None
    factor = exp(NORMAL_95 * metric.own_sd)
    return metric.value / factor, metric.value * factor

"""The Pareto plot: drawing functions that take data and an Axes, and touch no global state of matplotlib."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.plots.clouds import Cloud, draw_clouds
from analysis.plots.labels import Name, annotate
from analysis.plots.naming import design_name, short_ids, telling_axes
from analysis.plots.style import BLUE, FAINT, GREEN, MUTED, PURPLE, TEXT, VERMILION, frame, save, style
from analysis.plots.support import draw_support
from analysis.plots.words import metric_words
from analysis.records.record import Metric, Record
from analysis.reference import PublishedPoint
from analysis.results.pareto import Front, Objective, own_interval
from topformer.errors import StudyError

SIZE_INCHES, DPI = (10.0, 6.25), 160
"""1600 x 1000 pixels; at half that size, as in a README, the smallest text is still 9 pixels high."""

MANY = 2000
"""Marks of one kind above which an SVG holds them as an image."""

TICKS = 3000
"""Places along an axis at which ticks are told apart: two to a pixel."""

NAMED = 11
"""Designs of the front that are named: of more, so many, evenly along it."""

UNSURE = 0.05
"""A dominated point whose probability of being on the front reaches this is marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoPlot:
    """Everything that the plot shows.

    Attributes:
        front: The ranked records; the plot needs at least two objectives.
        title: Name of the study and its space.
        caption: Lines below the plot: how many were trained, pruned, failed and considered; seed; budget.
        anchors: Fingerprint of each preset that was enqueued first, to its name.
        pruned: x values of the designs that were pruned before training.
        considered: x values of all designs that were costed.
        published: Networks of others, in the units of the two axes.
        limit: Largest x that the study allows.
        clouds: What lower rungs said.
        support: Fingerprint of each record whose accuracy is predicted to what that stands on.
    """

    front: Front
    title: str
    caption: tuple[str, ...] = ()
    anchors: Mapping[str, str] = field(default_factory=dict)
    pruned: tuple[float, ...] = ()
    considered: tuple[float, ...] = ()
    published: tuple[PublishedPoint, ...] = ()
    limit: float | None = None
    clouds: tuple[Cloud, ...] = ()
    support: Mapping[str, str] = field(default_factory=dict)

    @property
    def axes(self) -> tuple[Objective, Objective]:
        """The objectives of the x and the y axis; see `plot_axes`."""
        return plot_axes(self.front.objectives)


def plot_axes(objectives: Sequence[Objective]) -> tuple[Objective, Objective]:
    """The objectives of x and y: y is the first that is maximised, or else the first, and x the first other one.

    Raises:
        StudyError: There are fewer than two.
    """
    if len(objectives) < 2:
        raise StudyError(f"a Pareto plot needs at least two objectives, got {[goal.name for goal in objectives]}")
    y = next((goal for goal in objectives if goal.direction == "max"), objectives[0])
    return next(goal for goal in objectives if goal is not y), y


def save_pareto(plot: ParetoPlot, png: Path, svg: Path) -> tuple[Path, Path]:
    """Draw the plot into two files; equal data gives equal bytes under one version of matplotlib.

    Raises:
        StudyError: Fewer than two objectives.
        StorageError: A file cannot be written.
    """
    with style(10.5):
        figure = Figure(figsize=SIZE_INCHES, dpi=DPI, facecolor="white")
        # Room for the lines of the caption.
        bottom = 0.105 + 0.025 * max(3, len(plot.caption))
        ax = figure.add_axes((0.07, bottom, 0.91, 0.83 - bottom))
        draw_pareto(plot, ax)
        figure.text(0.07, 0.965, plot.title, fontsize=13, fontweight="bold", color=TEXT, va="center")
        figure.text(0.07, 0.02, "\n".join(plot.caption), fontsize=8.5, color="#666666", va="bottom", linespacing=1.4)
        return save(figure, png), save(figure, svg)


def draw_pareto(plot: ParetoPlot, ax: Axes) -> None:
    """Draw front, dominated points, anchors, published points and what was never trained onto `ax`.

    Raises:
        StudyError: Fewer than two objectives.
    """
    x, y = plot.axes
    _frame(plot, ax)
    dominated, unsure, best = _groups(plot)
    draw_clouds(plot.clouds, ax, x, y)
    _draw_points(ax, dominated, x, y, color=MUTED, label=f"dominated ({len(dominated)})", size=26, zorder=2)
    label = f"P(on front) >= {100 * UNSURE:g} % ({len(unsure)})"
    _draw_points(ax, unsure, x, y, color=MUTED, label=label, size=34, zorder=3, edge=BLUE)
    if len(plot.front.objectives) == 2:
        _draw_steps(ax, best, x, y)
    axes = telling_axes(best)
    named = f": id, {', '.join(axes)}" if axes else ""
    _draw_points(ax, best, x, y, color=BLUE, label=f"front ({len(best)}){named}", size=46, zorder=5)
    if plot.support:
        texts = [plot.support.get(record.fingerprint, "") for record in plot.front.records]
        on_front = [rank == 0 for rank in plot.front.ranks]
        draw_support(ax, _points(plot.front.records, x, y), on_front, texts, plot.axes)
    _draw_anchors(plot, ax)
    _draw_published(plot, ax)
    _draw_untrained(plot, ax)
    _annotate(plot, ax, best)
    if any(metric.low is not None for record in plot.front.records for metric in record.metrics.values()):
        ax.plot([], [], color=BLUE, linewidth=0.9, alpha=0.55, label="95 % interval")
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4, frameon=False, fontsize=8.5, handletextpad=0.4,
        columnspacing=1.4, borderaxespad=0.2, labelcolor=TEXT,
    )  # fmt: skip


def axis_label(goal: Objective, metrics: Sequence[Metric]) -> str:
    """The metric in words, its unit, and where its numbers come from, such as `latency on phone (ms, predicted)`."""
    sources = " and ".join(sorted({metric.source for metric in metrics}))
    words = metric_words(goal.name) if goal.label == goal.name else goal.label
    return f"{words} ({', '.join(part for part in (goal.unit, sources) if part)})"


def _groups(plot: ParetoPlot) -> tuple[list[Record], list[Record], list[Record]]:
    """Dominated, dominated within the noise, and the front in the order of x."""
    front, (x, _) = plot.front, plot.axes
    rows = list(zip(front.records, front.ranks, front.probabilities, strict=True))
    dominated = [record for record, rank, chance in rows if rank > 0 and chance < UNSURE]
    unsure = [record for record, rank, chance in rows if rank > 0 and chance >= UNSURE]
    best = [record for record, rank, _ in rows if rank == 0]
    return dominated, unsure, sorted(best, key=lambda record: record.metrics[x.name].value)


def _frame(plot: ParetoPlot, ax: Axes) -> None:
    """Limits, labels and grid."""
    x, y = plot.axes
    for goal, set_limits, set_label in ((x, ax.set_xlim, ax.set_xlabel), (y, ax.set_ylim, ax.set_ylabel)):
        metrics = [record.metrics[goal.name] for record in plot.front.records]
        values = [goal.scale * metric.value for metric in metrics]
        # By the points: an interval may go on beyond the border, and would else squeeze them into a corner.
        if goal is x:
            values += [point.latency_ms for point in _shown(plot) if point.latency_ms is not None]
            values += [] if plot.limit is None else [goal.scale * plot.limit]
        else:
            values += [point.miou for point in _shown(plot)]
        values += [goal.scale * point[goal is y] for cloud in plot.clouds for point in cloud.points]
        low, high = min(values), max(values)
        margin = (high - low or abs(high) or 1.0) * 0.06
        # Room below for the designs that have a cost but no accuracy.
        below = 2.4 * margin if goal is y and (plot.pruned or plot.considered) else margin
        set_limits(low - below, high + margin)
        set_label(axis_label(goal, metrics), color=TEXT)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    frame(ax)


def _points(records: Sequence[Record], x: Objective, y: Objective) -> NDArray[np.float64]:
    """(n, 2) displayed numbers."""
    rows = [[goal.scale * record.metrics[goal.name].value for goal in (x, y)] for record in records]
    return np.array(rows, dtype=float).reshape(-1, 2)


def _draw_points(
    ax: Axes, records: Sequence[Record], x: Objective, y: Objective, *, color: str, label: str, size: float,
    zorder: float, edge: str = "white",
) -> None:  # fmt: skip
    """Points, with a thin bar for each interval, and a thick one across for what the points do not share."""
    if not records:
        return
    points = _points(records, x, y)
    on_front = color == BLUE
    crowded = len(records) > 3 * NAMED
    alpha = (0.2 if crowded else 0.55) if on_front else (0.15 if crowded else 0.3)
    bar: dict[str, Any] = {"color": color, "linewidth": 0.9 if on_front else 0.6, "alpha": alpha}
    # In an SVG, a hundred thousand marks would be a hundred thousand elements; so many become one image in it.
    is_image = len(records) > MANY
    bar["rasterized"] = is_image
    across, up = (_intervals(records, goal) for goal in (x, y))
    thin: Any = np.concatenate([_bars(across, points[:, 1:]), _bars(up, points[:, :1])[:, :, ::-1]])
    ax.add_collection(LineCollection(thin, zorder=zorder - 0.5, **bar), autolim=False)
    own = x.scale * np.array([own_interval(record.metrics[x.name]) or (np.nan, np.nan) for record in records])
    thick = {**bar, "linewidth": 3 * bar["linewidth"]}
    ax.add_collection(LineCollection(_bars(own, points[:, 1:]), zorder=zorder - 0.4, **thick), autolim=False)
    ax.scatter(
        points[:, 0], points[:, 1], s=size, color=color, edgecolors=edge, linewidths=1.2, zorder=zorder, label=label,
        rasterized=is_image,
    )  # fmt: skip


def _intervals(records: Sequence[Record], goal: Objective) -> NDArray[np.float64]:
    """(n, 2) displayed ends of the 95 % intervals; where there is no interval, both ends are the value."""
    metrics = [record.metrics[goal.name] for record in records]
    ends = [[one.value if end is None else end for end in (one.low, one.high)] for one in metrics]
    return goal.scale * np.array(ends, dtype=float)


def _bars(ends: NDArray[np.float64], across: NDArray[np.float64]) -> Any:
    """Lines (n, 2 ends, 2) between ends (n, 2) at a place of the other axis (n, 1).

    `Axes.hlines` makes a masked array of each, which takes most of the time of many.
    """
    return np.stack(np.broadcast_arrays(ends, across), axis=-1)


def _draw_steps(ax: Axes, best: Sequence[Record], x: Objective, y: Objective) -> None:
    """The border of what is attained: from each point on, nothing better than it is known until the next one."""
    points = _points(best, x, y)
    ax.step(
        points[:, 0], points[:, 1], where="post" if x.direction == "min" else "pre", color=BLUE, linewidth=1.8, zorder=4
    )


def _draw_anchors(plot: ParetoPlot, ax: Axes) -> None:
    records = [record for record in plot.front.records if record.fingerprint in plot.anchors]
    if records:
        points = _points(records, *plot.axes)
        style: dict[str, Any] = {
            "marker": "D",
            "s": 62,
            "facecolors": "none",
            "edgecolors": VERMILION,
            "linewidths": 1.8,
        }
        ax.scatter(points[:, 0], points[:, 1], zorder=5.5, label="anchor (preset)", **style)


def _shown(plot: ParetoPlot) -> list[PublishedPoint]:
    """The family itself always; peers only where they do not stretch the x axis."""
    x, _ = plot.axes
    family = [point.latency_ms or 0.0 for point in plot.published if point.family != "other"]
    reach = max([*family, *(x.scale * record.metrics[x.name].value for record in plot.front.records)])
    return [point for point in plot.published if point.latency_ms is not None and point.latency_ms <= 1.05 * reach]


def _places(points: Sequence[PublishedPoint]) -> NDArray[np.float64]:
    """(n, 2) latency and mIoU."""
    rows = [(point.latency_ms, point.miou) for point in points]
    return np.array(rows, dtype=float).reshape(-1, 2)


def _draw_published(plot: ParetoPlot, ax: Axes) -> None:
    styles = {"TopFormer": ("^", GREEN), "searched TopFormer": ("v", PURPLE), "other": ("s", MUTED)}
    notes = {"TopFormer": "TopFormer (CVPR 2022)", "searched TopFormer": "searched TopFormer", "other": "others"}
    for family, (marker, color) in styles.items():
        points = _places([point for point in _shown(plot) if point.family == family])
        if len(points):
            style: dict[str, Any] = {
                "marker": marker,
                "s": 46,
                "facecolors": "white",
                "edgecolors": color,
                "linewidths": 1.4,
            }
            ax.scatter(points[:, 0], points[:, 1], zorder=3.5, label=f"published: {notes[family]}", **style)


def _draw_untrained(plot: ParetoPlot, ax: Axes) -> None:
    """Limit, and along the x axis the designs that have a cost but no accuracy."""
    x, _ = plot.axes
    low, high = ax.get_xlim()
    along_x = ax.get_xaxis_transform()
    considered = x.scale * np.array(plot.considered)
    if len(considered):
        counts, edges = np.histogram(considered, bins=60, range=(low, high))
        label = f"costed ({len(considered):,})"
        heights = 0.08 * counts / max(counts.max(), 1)
        ax.stairs(heights, edges, fill=True, color=FAINT, transform=along_x, zorder=0.5, label=label)
    if plot.pruned:
        ticks = x.scale * np.array(plot.pruned)
        label = f"pruned before training ({len(ticks):,})"
        shown = _apart(ticks[(ticks >= low) & (ticks <= high)], low, high)
        ax.vlines(shown, 0, 0.025, color=VERMILION, alpha=0.45, linewidth=0.8, transform=along_x, label=label)
    if plot.limit is not None:
        label = f"limit {x.scale * plot.limit:g} {x.unit}".rstrip()
        ax.axvline(x.scale * plot.limit, color=TEXT, linewidth=1.0, linestyle=(0, (5, 4)), zorder=1, label=label)


def _apart(ticks: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """The places of ticks that a figure can show apart: of a hundred thousand most fall onto another."""
    steps = np.unique(np.round((ticks - low) / (high - low) * TICKS))
    return low + steps / TICKS * (high - low)


def _annotate(plot: ParetoPlot, ax: Axes, best: Sequence[Record]) -> None:
    """Names of the anchors and published points, and the ids of the front."""
    x, y = plot.axes
    everything = _points(plot.front.records, x, y)
    published = _places(_shown(plot))
    ids, axes = short_ids([record.fingerprint for record in best]), telling_axes(best)
    names: dict[str, Name] = {}
    for record, (h, v) in zip(plot.front.records, everything, strict=True):
        if record.fingerprint in plot.anchors:
            names[record.fingerprint] = Name(plot.anchors[record.fingerprint], h, v, VERMILION, bold=True)
    named = best if len(best) <= NAMED else [best[i] for i in np.linspace(0, len(best) - 1, NAMED).astype(int)]
    for record, (h, v) in zip(named, _points(named, x, y), strict=True):
        names.setdefault(record.fingerprint, Name(design_name(record, ids, axes), h, v, BLUE))
    others = [Name(point.name, h, v, TEXT) for point, (h, v) in zip(_shown(plot), published, strict=True)]
    steps = _along_steps(_points(best, x, y)) if len(plot.front.objectives) == 2 else np.empty((0, 2))
    kept = np.concatenate([everything, published, steps, _along_limit(plot, ax)])
    annotate(ax, [*names.values(), *others], kept)


def _along_limit(plot: ParetoPlot, ax: Axes, count: int = 60) -> NDArray[np.float64]:
    """Places on the line of the limit, twice: no name should stand across it."""
    if plot.limit is None:
        return np.empty((0, 2))
    heights = np.linspace(*ax.get_ylim(), count)
    line = np.stack([np.full(count, plot.axes[0].scale * plot.limit), heights], axis=1)
    return np.concatenate([line, line])


def _along_steps(points: NDArray[np.float64], count: int = 12) -> NDArray[np.float64]:
    """Places along the steps between consecutive points, which names should not cover."""
    share = np.linspace(0, 1, count)[:, None]
    parts = [np.empty((0, 2))]
    for start, end in pairwise(points):
        corner = np.array([end[0], start[1]])
        parts += [start + share * (corner - start), corner + share * (end - corner)]
    return np.concatenate(parts)

"""What the lower rungs of a ladder said of designs, below the front that the last one confirms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes

from analysis.plots.style import MUTED
from analysis.records.record import Record
from analysis.results.pareto import Objective

_MARKERS = ("x", "+", "1", "2")
_MANY = 2000
"""Marks above which an SVG holds them as an image."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """Designs as a lower rung scored them: numbers that those of the front are not to be compared with.

    Attributes:
        label: Where the numbers come from.
        points: x and y of each, unscaled.
    """

    label: str
    points: tuple[tuple[float, float], ...]


def clouds(records: Iterable[Record], x: Objective, y: Objective) -> tuple[Cloud, ...]:
    """One for each rung whose accuracy has the unit of the y axis, such as percent of mIoU.

    Args:
        records: Complete ones of the lower rungs.
        x: The objective of the x axis.
        y: That of the y axis, by its last rung.
    """
    family = y.name.partition("@")[0]
    found: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        if x.name not in record.metrics:
            continue
        for name, metric in record.metrics.items():
            if name.partition("@")[0] == family:
                budget = f" at {record.budget:,} iterations" if record.budget else ""
                label = f"not confirmed: {metric.source}{budget}"
                found.setdefault(label, []).append((record.metrics[x.name].value, metric.value))
    return tuple(Cloud(label, tuple(points)) for label, points in found.items())


def draw_clouds(found: Sequence[Cloud], ax: Axes, x: Objective, y: Objective) -> None:
    """Small marks below everything else, with a name of their own."""
    for cloud, marker in zip(found, cycle(_MARKERS), strict=False):
        points = np.array(cloud.points) * [x.scale, y.scale]
        ax.scatter(
            points[:, 0], points[:, 1], s=16, marker=marker, color=MUTED, alpha=0.6, linewidths=0.8, zorder=1.5,
            label=f"{cloud.label} ({len(points):,})", rasterized=len(points) > _MANY,
        )  # fmt: skip

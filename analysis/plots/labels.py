"""Where to put the names of points so that they cover neither each other nor the data."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import cos, pi, sin

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

_RINGS_PT = (7.0, 15.0, 25.0, 37.0)
"""Free space, in typographic points, tried between a point and its name; nearest first."""

# Above left first: above a front whose latency falls to the left there is no data.
_DIRECTIONS = tuple((round(cos(a * pi / 4), 6), round(sin(a * pi / 4), 6)) for a in (3, 2, 1, 4, 0, 5, 7, 6))


@dataclass(frozen=True, slots=True)
class Name:
    """A name and the point, in data coordinates, that it belongs to."""

    text: str
    x: float
    y: float
    color: str
    bold: bool = False


def annotate(ax: Axes, names: Sequence[Name], obstacles: NDArray[np.float64], size: float = 8.5) -> None:
    """Write each name beside its point; a thin line leads to a name that had to stand further away.

    The limits of the axes and the size of the figure must be final. Text sizes are estimated from the number of
    characters, so that the places do not depend on a renderer.

    Args:
        ax: Where the points are drawn.
        names: What to write; earlier names choose first.
        obstacles: (k, 2) places in data coordinates to keep free.
        size: Font size in typographic points.
    """
    pixels_per_pt = ax.figure.dpi / 72
    blocked = ax.transData.transform(obstacles) if len(obstacles) else np.empty((0, 2))
    inside = np.array(ax.get_window_extent().extents)
    taken: list[NDArray[np.float64]] = []
    for name in names:
        point = ax.transData.transform((name.x, name.y))
        # 0.62 em is the mean width of a character of DejaVu Sans in lower case and digits.
        extent = np.array([0.62 * size * len(name.text), 1.15 * size]) * pixels_per_pt
        center, ring = _best_place(point, extent, pixels_per_pt, blocked, taken, inside)
        taken.append(np.concatenate([center - extent / 2, center + extent / 2]))
        offset = (center - point) / pixels_per_pt
        _write(ax, name, (float(offset[0]), float(offset[1])), size, with_line=ring > 0)


def _best_place(
    point: NDArray[np.float64],
    extent: NDArray[np.float64],
    pixels_per_pt: float,
    blocked: NDArray[np.float64],
    taken: Sequence[NDArray[np.float64]],
    inside: NDArray[np.float64],
) -> tuple[NDArray[np.float64], int]:
    """Centre of the cheapest place, and the number of its ring."""
    cheapest, place = float("inf"), (point, 0)
    for (ring, gap), (number, direction) in product(enumerate(_RINGS_PT), enumerate(_DIRECTIONS)):
        wished = point + np.array(direction) * (gap * pixels_per_pt + extent / 2)
        # Pushed back along the edge, if that leaves the point itself free.
        center = np.clip(wished, inside[:2] + extent / 2, inside[2:] - extent / 2)
        center = wished if (abs(center - point) < extent / 2).all() else center
        box = np.concatenate([center - extent / 2, center + extent / 2])
        cost = _cost(box, blocked, taken, inside) + 0.6 * ring + 0.05 * number
        if cost < cheapest:
            cheapest, place = cost, (center, ring)
    return place


def _cost(
    box: NDArray[np.float64],
    blocked: NDArray[np.float64],
    taken: Sequence[NDArray[np.float64]],
    inside: NDArray[np.float64],
) -> float:
    """Covered obstacles count 1 each, covered names and leaving the axes far more."""
    covered = ((blocked > box[:2] - 2) & (blocked < box[2:] + 2)).all(axis=1).sum()
    names = sum(bool((box[:2] < other[2:]).all() and (box[2:] > other[:2]).all()) for other in taken)
    outside = bool((box[:2] < inside[:2]).any() or (box[2:] > inside[2:]).any())
    return float(covered) + 20 * names + 50 * outside


def _write(ax: Axes, name: Name, offset: tuple[float, float], size: float, *, with_line: bool) -> None:
    line = {"arrowstyle": "-", "color": name.color, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3}
    ax.annotate(
        name.text,
        xy=(name.x, name.y),
        xytext=offset,
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=size,
        fontweight="bold" if name.bold else "normal",
        color=name.color,
        arrowprops=line if with_line else None,
        # A translucent ground rather than an outline: outlined text would become curves in the SVG.
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
        zorder=6,
    )

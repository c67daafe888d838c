"""What predicted accuracies stand on, drawn over a Pareto plot: near to what was published, or extrapolated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from analysis.plots.style import BLUE, GREEN
from analysis.results.pareto import Objective, non_dominated

EXTRAPOLATED = "extrapolated"
"""The support of a prediction that several untested changes, or a size far away, separate from what was published."""


def draw_support(
    ax: Axes, points: NDArray[np.float64], on_front: Sequence[bool], support: Sequence[str], axes: tuple[Objective, ...]
) -> None:
    """Make the marks of extrapolated designs of the front hollow, and draw the others with a front of their own.

    Args:
        ax: The Pareto plot, with the points drawn.
        points: (n, 2) displayed numbers.
        on_front: Whether each is on the front.
        support: What each stands on; empty where it is not known.
        axes: The objectives of x and y.
    """
    far = np.array([text == EXTRAPOLATED for text in support], dtype=bool)
    near = ~far & np.array([bool(text) for text in support], dtype=bool)
    hollow = points[far & np.array(on_front, dtype=bool)]
    if len(hollow):
        style: dict[str, Any] = {"s": 34, "facecolors": "white", "edgecolors": BLUE, "linewidths": 1.2}
        label = f"front, extrapolated ({len(hollow)})"
        ax.scatter(hollow[:, 0], hollow[:, 1], zorder=5.1, label=label, **style)
    if near.any():
        ours = points[near]
        best = ours[non_dominated(ours * [goal.sign for goal in axes])]
        best = best[np.argsort(best[:, 0], kind="stable")]
        label = f"at most one factor away ({len(ours)})"
        ax.step(
            best[:, 0],
            best[:, 1],
            where="post" if axes[0].direction == "min" else "pre",
            color=GREEN,
            linewidth=1.4,
            linestyle=(0, (4, 2)),
            zorder=5.2,
        )
        ax.scatter(ours[:, 0], ours[:, 1], s=30, color=GREEN, edgecolors="white", zorder=5.3, label=label)

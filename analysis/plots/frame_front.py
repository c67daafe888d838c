"""A front drawn from a table of trials such as `analysis.load` gives, onto axes of the caller's."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from analysis.plots.style import BLUE, MUTED, TEXT, frame
from analysis.plots.words import metric_words
from analysis.results.pareto import Objective, non_dominated
from topformer.errors import InputError, StudyError, unknown_name

if TYPE_CHECKING:
    from pandas import DataFrame

# n rows of the table that have both numbers.

_OBTAINED = ("evaluator", "data", "budget_iterations", "height_px", "width_px")
"""What accuracies must have in common to stand on one axis."""


def draw_front(trials: "DataFrame", ax: Axes, *, cost: str, accuracy: str) -> NDArray[np.bool_]:
    """Draw the complete trials that have both numbers, and the front of the cheap and accurate among them.

    Every row is a point, each seed of a design one of its own: average them first where luck must not count.
    Intervals are drawn where the table has them; they do not set the limits of the axes.

    Args:
        trials: One row per trial.
        ax: Where to draw.
        cost: Column of x, less is better, such as `latency_ms@DEVICE`.
        accuracy: Column of y, more is better, such as `miou@DATA`.

    Returns:
        (rows of the table,) whether each is on the front.

    Raises:
        InputError: The table has no such column; the message offers the nearest.
        StudyError: No complete trial has both numbers, or they were obtained with different evaluators, data, budgets
            or sizes.
    """
    for name in ("state", *_OBTAINED, cost, accuracy):
        if name not in trials.columns:
            raise InputError(unknown_name("column", name, trials.columns))
    whole = (trials["state"] == "complete") & trials[[cost, accuracy]].notna().all(axis=1)
    shown = trials[whole]
    if shown.empty:
        raise StudyError(f"a front needs a complete trial that has {cost} and {accuracy}, got none")
    for name in _OBTAINED:
        if len(found := sorted(map(str, shown[name].unique()))) > 1:
            raise StudyError(f"trials on one front must have one {name}, got {', '.join(found)}")
    goals = Objective(cost, "min"), Objective(accuracy, "max")
    points = shown[[cost, accuracy]].to_numpy(dtype=float) * [goal.scale for goal in goals]
    best = non_dominated(points * [goal.sign for goal in goals])
    order = np.argsort(points[best, 0])
    kinds: list[tuple[NDArray[np.bool_], dict[str, Any]]] = [
        (~best, {"color": MUTED, "s": 26, "label": f"dominated ({(~best).sum()})"}),
        (best, {"color": BLUE, "s": 46, "label": f"front ({best.sum()})"}),
    ]
    for chosen, style in kinds:
        ax.scatter(*points[chosen].T, edgecolors="white", zorder=3, **style)
    limits = ax.get_xlim(), ax.get_ylim()
    for chosen, style in kinds:
        across, up = (goal.scale * _reach(shown, goal.name)[:, chosen] for goal in goals)
        x, y = points[chosen].T
        ax.errorbar(x, y, xerr=across, yerr=up, fmt="none", ecolor=style["color"], alpha=0.4, zorder=1)
    x, y = points[best][order].T
    ax.step(x, y, where="post", color=BLUE, linewidth=1.8, zorder=2)
    ax.set(xlim=limits[0], ylim=limits[1])
    words = [f"{metric_words(goal.name)}{f' ({goal.unit})' if goal.unit else ''}" for goal in goals]
    ax.set_xlabel(words[0], color=TEXT)
    ax.set_ylabel(words[1], color=TEXT)
    ax.legend(frameon=False, labelcolor=TEXT)
    frame(ax)
    on_front = whole.to_numpy(dtype=bool, copy=True)
    on_front[on_front] = best
    return on_front


def _reach(shown: "DataFrame", name: str) -> NDArray[np.float64]:
    """(2, n) distances from the values down and up to the ends of their intervals; 0 where there is none."""
    values = shown[name].to_numpy(dtype=float)
    columns = [f"{name}:{end}" for end in ("low", "high")]
    ends = [shown[column].to_numpy(dtype=float) if column in shown else values for column in columns]
    reach: NDArray[np.float64] = np.nan_to_num(np.abs(np.stack(ends) - values))
    return reach

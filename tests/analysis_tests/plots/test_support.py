"""What predictions stand on, drawn over a Pareto plot."""

import numpy as np
from matplotlib.figure import Figure

from analysis.plots.support import draw_support
from analysis.results.pareto import Objective

AXES = (Objective("latency_ms@d", "min"), Objective("miou@published-ade20k", "max"))
POINTS = np.array([[1.0, 30], [2, 33], [3, 31], [4, 34], [5, 35]])


def test_extrapolated_designs_of_the_front_are_hollow_and_the_others_have_a_front_of_their_own() -> None:
    ax = Figure().add_subplot()
    support = ["extrapolated", "one factor away", "published", "interpolated", "extrapolated"]
    draw_support(ax, POINTS, [True, True, False, False, False], support, AXES)
    labels = {item.get_label(): item for item in ax.collections}
    assert np.asarray(labels["front, extrapolated (1)"].get_offsets()).tolist() == [[1, 30]]
    assert np.asarray(labels["at most one factor away (3)"].get_offsets()).tolist() == [[2, 33], [3, 31], [4, 34]]
    (steps,) = ax.lines
    assert np.asarray(steps.get_xydata()).tolist() == [[2, 33], [4, 34]]


def test_designs_of_unknown_support_are_left_as_they_are() -> None:
    ax = Figure().add_subplot()
    draw_support(ax, POINTS, [True] * 5, [""] * 5, AXES)
    assert not ax.collections
    assert not ax.lines

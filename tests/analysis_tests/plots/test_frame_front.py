"""A front drawn from a table of trials."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from pandas import DataFrame

from analysis.plots.frame_front import draw_front
from topformer.errors import InputError, StudyError

LATENCY, MIOU = "latency_ms@phone", "miou@mini"


def trials(latency: list[float], miou: list[float], **columns: object) -> DataFrame:
    common = {"state": "complete", "evaluator": "lean:1", "data": "mini", "budget_iterations": 100}
    return DataFrame({LATENCY: latency, MIOU: miou, **common, "height_px": 64, "width_px": 64, **columns})


@pytest.fixture
def ax() -> Axes:
    return plt.figure().add_subplot()


def test_the_cheap_and_accurate_are_the_front(ax: Axes) -> None:
    frame = trials([1.0, 2.0, 3.0, 2.5], [50.0, 60.0, 55.0, float("nan")])
    assert draw_front(frame, ax, cost=LATENCY, accuracy=MIOU).tolist() == [True, True, False, False]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("latency on phone (ms)", "mIoU on mini (%)")
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["dominated (1)", "front (2)"]
    steps = next(line for line in ax.lines if line.get_drawstyle() == "steps-post")
    assert np.asarray(steps.get_xydata()).tolist() == [[1.0, 50.0], [2.0, 60.0]]


def test_what_failed_or_was_pruned_is_no_point(ax: Axes) -> None:
    frame = trials([1.0, 2.0], [70.0, 60.0], state=["failed", "complete"])
    assert draw_front(frame, ax, cost=LATENCY, accuracy=MIOU).tolist() == [False, True]


def test_intervals_do_not_set_the_limits(ax: Axes) -> None:
    ends = {f"{LATENCY}:low": [0.0, 0.1], f"{LATENCY}:high": [900.0, float("nan")]}
    draw_front(trials([1.0, 2.0], [50.0, 60.0], **ends), ax, cost=LATENCY, accuracy=MIOU)
    assert ax.get_xlim()[1] < 3


@pytest.mark.parametrize(("column", "values"), [("evaluator", ["a", "b"]), ("height_px", [64, 128])])
def test_what_cannot_be_compared_is_refused(ax: Axes, column: str, values: list[object]) -> None:
    with pytest.raises(StudyError, match=f"one {column}, got {values[0]}, {values[1]}|one {column}, got 128, 64"):
        draw_front(trials([1.0, 2.0], [50.0, 60.0], **{column: values}), ax, cost=LATENCY, accuracy=MIOU)


def test_a_column_that_is_not_there_and_a_table_without_points_are_refused(ax: Axes) -> None:
    with pytest.raises(InputError, match=r"unknown column 'miou@mimi'; did you mean 'miou@mini'"):
        draw_front(trials([1.0], [50.0]), ax, cost=LATENCY, accuracy="miou@mimi")
    with pytest.raises(StudyError, match=r"needs a complete trial that has .* got none"):
        draw_front(trials([], []), ax, cost=LATENCY, accuracy=MIOU)

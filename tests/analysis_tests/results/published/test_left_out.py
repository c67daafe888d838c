"""What the model says of networks that it never saw."""

from dataclasses import replace

import pytest

from analysis.results.published.anchors import anchors
from analysis.results.published.left_out import LeftOut, coverage, left_out, root_mean_square
from analysis.results.published.model import Support

ANCHOR = anchors()[0]
ROW = LeftOut(anchor=ANCHOR, mean=ANCHOR.miou + 1, sd=1, support=Support.INTERPOLATED)


def test_errors_are_predicted_minus_published() -> None:
    rows = [ROW, replace(ROW, mean=ANCHOR.miou - 3)]
    assert [row.error for row in rows] == pytest.approx([1, -3])
    assert root_mean_square(rows) == pytest.approx(5**0.5)
    assert coverage(rows) == 0.5


def test_a_network_that_was_left_out_is_not_known_as_published() -> None:
    rows = left_out()
    assert {row.support for row in rows} == {Support.INTERPOLATED, Support.ONE_FACTOR}
    assert {row.anchor.dataset for row in rows} == {"ade20k", "coco-stuff-10k"}


def test_released_networks_are_predicted_to_half_a_point() -> None:
    released = [row for row in left_out() if row.anchor.dataset == "ade20k" and row.support is Support.INTERPOLATED]
    assert len(released) == 12
    assert root_mean_square(released) < 0.57
    assert coverage(released) > 0.9

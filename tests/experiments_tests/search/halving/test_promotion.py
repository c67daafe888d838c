"""Who goes on."""

import numpy as np

from experiments.search.halving.promotion import crowding, promotion_order


def test_the_front_goes_first_and_its_ends_before_its_middle() -> None:
    points = np.array([[0, 4], [1, 2], [1.5, 1.9], [4, 0], [5, 5]], dtype=float)
    order = promotion_order(points, [()] * 5)
    assert set(order[:2]) == {0, 3}
    # Of the two in the middle the second has the wider neighbours: (4 - 1 + 2 - 0) against (1.5 - 0 + 4 - 1.9).
    assert order[2:] == [2, 1, 4]


def test_crowding_is_that_of_the_own_rank() -> None:
    points = np.array([[0, 2], [1, 1], [2, 0], [3, 3]], dtype=float)
    assert crowding(points).tolist() == [np.inf, 2.0, np.inf, np.inf]


def test_equal_points_are_no_division_by_zero() -> None:
    assert crowding(np.ones((4, 2))).tolist() == [np.inf, 0, 0, np.inf]


def test_every_stratum_is_represented_in_proportion() -> None:
    # All of b is dominated by all of a: without strata none of b would go on before the last of a.
    points = np.array([[i, 8 - i] for i in range(8)] + [[20 + i, 24 - i] for i in range(4)], dtype=float)
    strata = ["a"] * 8 + ["b"] * 4
    half = promotion_order(points, strata)[:6]
    assert sorted(strata[place] for place in half) == ["a"] * 4 + ["b"] * 2
    assert all(strata[place] == "a" for place in promotion_order(points, [()] * 12)[:8])

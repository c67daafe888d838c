"""What the sampler learns of a design."""

import pytest

from experiments.search.halving.trusted import trusted


def test_below_three_designs_a_rung_has_no_say() -> None:
    low = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert trusted([low, {"c": 90.0, "b": 10.0}]) == low
    assert trusted([low, {}]) == low
    assert trusted([{}, {}]) == {}


def test_a_design_has_the_number_of_the_highest_rung_that_it_reached() -> None:
    low = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    # The upper rung says ten times the lower one, and a thing of its own of c.
    found = trusted([low, {"a": 10.0, "b": 20.0, "c": 30.0}])
    assert found == pytest.approx({"a": 10, "b": 20, "c": 30, "d": 40})


def test_a_score_that_misled_says_nothing_about_the_others() -> None:
    low = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 0.0}
    found = trusted([low, {"a": 30.0, "b": 20.0, "c": 10.0}])
    assert (found["a"], found["c"]) == (30, 10)
    assert found["d"] == found["e"] == 20


def test_three_rungs_are_one_scale() -> None:
    lowest = {name: float(number) for number, name in enumerate("abcdef")}
    middle = {name: 10 + value for name, value in lowest.items() if name in "cdef"}
    top = {name: 2 * value for name, value in middle.items() if name in "def"}
    assert trusted([lowest, middle, top]) == pytest.approx({name: 2 * (10 + v) for name, v in lowest.items()})

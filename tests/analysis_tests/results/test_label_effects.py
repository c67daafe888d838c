"""What labels go with."""

import pytest

from analysis.results.label_effects import label_effects


def test_an_effect_is_a_difference_of_means_within_the_axis() -> None:
    labels = [{"x": "a", "y": "q"}, {"x": "a", "y": "q"}, {"x": "b"}, {"x": "b"}, {"y": "q"}]
    found = label_effects(labels, [1.0, 3.0, 7.0, 9.0, 100.0])
    # `y` has one label; the last trial has no `x`.
    assert [(each.axis, each.label, each.trials) for each in found] == [("x", "a", 2), ("x", "b", 2)]
    assert [each.gap.mean for each in found] == [-6.0, 6.0]
    # Welch: error sqrt(2 / 2 + 2 / 2), 2 degrees of freedom, t 4.302653.
    assert found[1].gap.low == pytest.approx(6 - 4.302653 * 2**0.5, abs=1e-5)


def test_a_label_of_one_trial_has_no_interval() -> None:
    (one, _) = label_effects([{"x": "a"}, {"x": "b"}, {"x": "b"}], [1.0, 2.0, 3.0])
    assert (one.gap.mean, one.gap.low) == (-1.5, None)

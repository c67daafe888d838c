"""The expected gain in closed form, against brute force: accuracies are drawn, and hypervolumes measured."""

import numpy as np
import pytest

from analysis.results.pareto import hypervolume
from experiments.search.ehvi.improvement import CostBox, expected_improvement


def test_expected_improvement_of_a_standard_normal_over_its_mean() -> None:
    """E[max(0, z)] is 1 / sqrt(2 pi)."""
    assert expected_improvement(np.array([5.0]), np.array([1.0]), 5.0) == pytest.approx([0.3989423])


def test_without_doubt_the_improvement_is_what_is_above() -> None:
    found = expected_improvement(np.array([3.0, 1.0]), np.zeros(2), 2.0)
    assert found == pytest.approx([1.0, 0.0], abs=1e-9)


def brute_force(
    mean: float, deviation: float, own: np.ndarray, costs: np.ndarray, accuracies: np.ndarray, corner: np.ndarray
) -> float:
    """The mean gain of hypervolume over 4,000 drawn accuracies; the floor is accuracy 0."""
    front, reference = np.column_stack([-accuracies, costs]), [0.0, *corner]
    draws = np.random.default_rng(2).standard_normal(2000)
    before = hypervolume(front, reference)
    worth = mean + deviation * np.concatenate([draws, -draws])
    after = [hypervolume(np.vstack([front, [-accuracy, *own]]), reference) for accuracy in worth]
    return float(np.mean(after) - before)


@pytest.mark.parametrize(("costs", "tolerance"), [(0, 0.02), (1, 0.02), (2, 0.08), (3, 0.15)])
def test_gains_are_those_of_brute_force(costs: int, tolerance: float) -> None:
    random = np.random.default_rng(costs)
    own, corner = random.uniform(0, 1, (12, costs)), np.ones(costs)
    mean, deviation = random.uniform(0.6, 1.6, 12), random.uniform(0.1, 0.6, 12)
    evaluated, accuracies = random.uniform(0, 1, (6, costs)), random.uniform(0.2, 1.2, 6)
    gains = CostBox(own, corner).gains(mean, deviation, evaluated, accuracies, 0.0)
    expected = [brute_force(mean[i], deviation[i], own[i], evaluated, accuracies, corner) for i in range(12)]
    assert gains == pytest.approx(np.array(expected), rel=tolerance, abs=tolerance * max(expected) / 2)


def test_a_staircase_by_hand() -> None:
    """Costs 0 to 4, accuracies 1 from cost 1 and 3 from cost 2: a sure 2 at cost 0 adds 2 + 1, and nothing after."""
    box = CostBox(np.array([[0.0], [2.0], [3.0]]), np.array([4.0]))
    evaluated, accuracies = np.array([[2.0], [1.0]]), np.array([3.0, 1.0])
    gains = box.gains(np.array([2.0, 2.0, 5.0]), np.zeros(3), evaluated, accuracies, 0.0)
    assert gains == pytest.approx([3.0, 0.0, 2.0], abs=1e-9)


def test_designs_beyond_the_corner_gain_nothing_and_evaluated_ones_there_do_not_matter() -> None:
    box = CostBox(np.array([[5.0], [0.0]]), np.array([4.0]))
    gains = box.gains(np.array([9.0, 2.0]), np.ones(2) * 1e-9, np.array([[6.0]]), np.array([8.0]), 0.0)
    assert gains == pytest.approx([0.0, 8.0], abs=1e-6)


def test_of_thousands_the_best_is_on_the_short_list() -> None:
    """The short list goes by an optimistic gain; the largest gain of all is the one without a list."""
    random = np.random.default_rng(3)
    own, mean = random.uniform(0, 1, (5000, 1)), random.normal(1, 0.3, 5000)
    deviation = random.uniform(0.05, 0.3, 5000)
    evaluated, accuracies = random.uniform(0, 1, (20, 1)), random.normal(1, 0.3, 20)
    gains = CostBox(own, np.ones(1)).gains(mean, deviation, evaluated, accuracies, 0.0)
    parts = [
        CostBox(own[i : i + 400], np.ones(1)).gains(
            mean[i : i + 400], deviation[i : i + 400], evaluated, accuracies, 0.0
        )
        for i in range(0, 5000, 400)
    ]
    assert np.argmax(gains) == np.argmax(np.concatenate(parts))


def test_only_the_places_that_matter_are_judged() -> None:
    box = CostBox(np.array([[0.0], [1.0]]), np.array([4.0]))
    gains = box.gains(np.array([9.0, 2.0]), np.ones(2), np.empty((0, 1)), np.empty(0), 0.0, among=np.array([1]))
    assert gains[0] == -1
    assert gains[1] > 5

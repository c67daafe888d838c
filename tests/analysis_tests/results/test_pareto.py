"""Fronts, ranks, probabilities and volumes, against arithmetic by hand and brute force."""

from dataclasses import replace
from math import erf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.records.record import Metric, State
from analysis.results.pareto import Objective, front, hypervolume, membership, non_dominated, own_interval, ranks
from tests.analysis_tests.examples import FIDELITY, LATENCY, MIOU, record
from topformer.errors import StudyError

GOALS = (Objective(MIOU, "max"), Objective(LATENCY, "min"))

# Few different coordinates, so that ties and duplicates are common.
CLOUDS = st.integers(1, 4).flatmap(
    lambda m: st.lists(st.tuples(*[st.integers(0, 4)] * m), min_size=1, max_size=12)
).map(lambda rows: np.array(rows, dtype=float))  # fmt: skip


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a <= b).all() and (a < b).any())


@given(CLOUDS)
def test_non_dominated_is_what_its_definition_says(points: np.ndarray) -> None:
    expected = [not any(dominates(other, point) for other in points) for point in points]
    assert non_dominated(points).tolist() == expected


@given(CLOUDS)
def test_a_rank_is_one_more_than_that_of_the_worst_dominator(points: np.ndarray) -> None:
    found = ranks(points)
    for point, rank in zip(points, found, strict=True):
        above = [value for other, value in zip(points, found, strict=True) if dominates(other, point)]
        assert rank == 1 + max(above, default=-1)


@given(CLOUDS, st.integers(0, 2**32 - 1))
def test_errors_far_below_the_grid_change_no_distinct_front(points: np.ndarray, seed: int) -> None:
    distinct = np.unique(points, axis=0)
    # One coordinate per column differs everywhere, so no tie can be broken by noise.
    spread = distinct + 1e-3 * np.arange(len(distinct))[:, None]
    tiny = np.full_like(spread, 1e-9)
    assert (membership(spread, tiny, tiny, draws=3, seed=seed) == non_dominated(spread)).all()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_ties_and_duplicates_are_treated_alike_with_and_without_errors(rows: list[tuple[int, int]]) -> None:
    # One far point with an error makes every draw random, but none of the others.
    points = np.array([*rows, (99, 99)], dtype=float)
    error = np.zeros_like(points)
    error[-1] = 1
    assert (membership(points, error, error, draws=2, seed=0) == non_dominated(points)).all()


def test_of_many_points_those_without_a_chance_change_nothing_for_the_others() -> None:
    # A cloud of which few points are near the front, drawn whole by hand and by the function.
    random = np.random.default_rng(2)
    points = random.uniform(0, 10, size=(2500, 2))
    error = np.full_like(points, 0.3)
    chances = membership(points, error, error, draws=300, seed=0)
    draws = [non_dominated(points + error * random.standard_normal(points.shape)) for _ in range(300)]
    expected = np.mean(draws, axis=0)
    assert np.abs(chances - expected).max() < 0.15
    assert expected[chances == 0].max() <= 0.02
    # The front of one draw has 8.7 members with a standard deviation of 2.6.
    assert chances.sum() == pytest.approx(expected.sum(), abs=4 * 2.6 * (2 / 300) ** 0.5)


@pytest.mark.parametrize("m", [2, 3])
def test_a_point_that_cannot_lose_and_one_that_cannot_win_are_certain_among_many(m: int) -> None:
    points = np.random.default_rng(2).uniform(1, 2, size=(2500, m))
    points[7], points[8] = 0.0, 3.0
    error = np.full_like(points, 0.01)
    chances = membership(points, error, error, draws=20, seed=0)
    assert (chances[7], chances[8]) == (1, 0)


def test_equal_points_all_stay_on_the_front() -> None:
    found = front([record(0, 50, 4), record(1, 50, 4), record(2, 50, 5), record(3, 49, 4)], GOALS)
    assert found.ranks == (0, 0, 1, 1)


def test_directions_are_respected() -> None:
    records = [record(0, 50, 4), record(1, 60, 8), record(2, 40, 6)]
    assert [one.trial for one in front(records, GOALS).members] == [1, 0]
    worst = (Objective(MIOU, "min"), Objective(LATENCY, "max"))
    assert [one.trial for one in front(records, worst).members] == [2, 1]


def test_a_single_objective_has_the_best_as_its_front() -> None:
    found = front([record(0, 50), record(1, 60), record(2, 40)], (GOALS[0],))
    assert found.ranks == (1, 0, 2)


def test_three_objectives_keep_what_two_would_drop() -> None:
    cheap = {"macs": Metric(value=1, source="exact")}
    dear = {"macs": Metric(value=2, source="exact")}
    records = [
        record(0, metrics={**record(0, 50, 4).metrics, **dear}),
        record(1, metrics={**record(1, 49, 5).metrics, **cheap}),
    ]
    assert front(records, GOALS).ranks == (0, 1)
    assert front(records, (*GOALS, Objective("macs", "min"))).ranks == (0, 0)


def test_only_complete_records_take_part_and_the_others_are_counted() -> None:
    latency_only = {LATENCY: Metric(value=1.0, source="predicted")}
    not_a_number = {**latency_only, MIOU: Metric(value=float("nan"), source="trained")}
    records = [
        record(0),
        record(1, miou=None),
        record(2, state=State.FAILED),
        record(3, metrics=latency_only),
        record(4, metrics=not_a_number),
    ]
    found = front(records, GOALS)
    assert [one.trial for one in found.records] == [0]
    assert found.excluded == 2


def test_no_record_gives_an_empty_front() -> None:
    found = front([], GOALS)
    assert (found.records, found.ranks, found.probabilities, found.members) == ((), (), (), ())


def test_no_objective_is_refused() -> None:
    with pytest.raises(StudyError, match="at least one objective"):
        front([record()], ())


def test_accuracies_of_two_fidelities_are_not_ranked_together() -> None:
    longer = record(1, fidelity=replace(FIDELITY, budget=160_000))
    with pytest.raises(StudyError, match=r"a Pareto front needs accuracies of one fidelity, got 2: .*160,000 iterat"):
        front([record(0), longer], GOALS)
    # What has no accuracy is in nobody's way.
    assert len(front([record(0), replace(longer, state=State.FAILED)], GOALS).records) == 1


def test_a_wrong_direction_is_refused() -> None:
    with pytest.raises(StudyError, match="direction of objective 'macs' must be min or max, got 'minimize'"):
        Objective("macs", "minimize")  # type: ignore[arg-type]


def test_units_follow_from_the_family() -> None:
    assert [(goal.unit, goal.scale) for goal in GOALS] == [("%", 1), ("ms", 1)]
    assert (Objective("macs", "min").unit, Objective("macs", "min").scale) == ("GMACs", 1e-9)
    assert (Objective("zico", "max").unit, Objective("zico", "max").label) == ("", "zico")


def test_exact_numbers_have_probability_zero_or_one() -> None:
    assert front([record(0, 50, 4), record(1, 49, 5)], GOALS).probabilities == (1.0, 0.0)


def test_probability_is_that_of_the_normal_distribution() -> None:
    # Both have the same exact latency. Accuracies 50 +- 1 and 49 +- 1 (sd): the second is ahead where a normal
    # variable of mean 1 and sd sqrt(2) is negative, which has probability 0.2398.
    def noisy(trial: int, miou: float) -> Metric:
        return Metric(value=miou, source="trained", low=miou - 1.959964, high=miou + 1.959964)

    latency = Metric(value=4.0, source="exact")
    records = [record(t, metrics={MIOU: noisy(t, m), LATENCY: latency}) for t, m in enumerate((50.0, 49.0))]
    expected = 0.5 * (1 - erf(1 / np.sqrt(2) / np.sqrt(2)))
    assert expected == pytest.approx(0.2398, abs=1e-4)
    chances = front(records, GOALS, draws=20_000).probabilities
    assert chances[1] == pytest.approx(expected, abs=0.012)
    assert sum(chances) == pytest.approx(1)


def test_the_longer_side_of_an_interval_counts_on_its_side() -> None:
    # Only upwards can the second one's accuracy err, and there far: it is ahead in about half of the draws.
    lopsided = Metric(value=49.0, source="trained", low=49.0, high=249.0)
    exact = {name: Metric(value=value, source="exact") for name, value in ((MIOU, 50.0), (LATENCY, 4.0))}
    chances = front([record(0, metrics=exact), record(1, metrics={**exact, MIOU: lopsided})], GOALS).probabilities
    assert chances[1] == pytest.approx(0.5, abs=0.04)


def latency(value: float, shared: float, own: float) -> Metric:
    half = np.exp(1.959964 * np.hypot(shared, own))
    return Metric(value=value, source="predicted", low=value / half, high=value * half, shared_sd=shared, own_sd=own)


def test_an_error_that_all_share_leaves_the_order_of_close_designs() -> None:
    # Equal accuracies, 2 % apart in time: the slower one is ahead only by its own error, 1 % each.
    accuracy = Metric(value=50.0, source="exact")
    pairs = [latency(40.0, 0.3, 0.01), latency(40.8, 0.3, 0.01)]
    records = [record(t, metrics={MIOU: accuracy, LATENCY: one}) for t, one in enumerate(pairs)]
    ahead = 0.5 * (1 - erf(np.log(1.02) / np.hypot(0.01, 0.01) / np.sqrt(2)))
    assert ahead == pytest.approx(0.0807, abs=1e-4)
    assert front(records, GOALS, draws=20_000).probabilities[1] == pytest.approx(ahead, abs=0.008)
    # Without the parts, the same intervals are taken as errors of single designs: nearly a coin.
    whole = [replace(one, shared_sd=None, own_sd=None) for one in pairs]
    blurred = front([record(t, metrics={MIOU: accuracy, LATENCY: one}) for t, one in enumerate(whole)], GOALS)
    assert blurred.probabilities[1] > 0.4


def test_what_a_shared_error_does_to_designs_that_share_it_unequally_is_drawn() -> None:
    # log(1.1) apart, and the shared error moves one by 0.1, the other by 0.3 of it: ahead beyond 0.477 of its sd.
    accuracy = Metric(value=50.0, source="exact")
    pairs = [latency(40.0, 0.1, 0.0), latency(44.0, 0.3, 0.0)]
    records = [record(t, metrics={MIOU: accuracy, LATENCY: one}) for t, one in enumerate(pairs)]
    expected = 0.5 * (1 - erf(np.log(1.1) / 0.2 / np.sqrt(2)))
    assert front(records, GOALS, draws=20_000).probabilities[1] == pytest.approx(expected, abs=0.014)


def test_records_without_the_parts_stand_beside_those_that_have_them() -> None:
    accuracy = Metric(value=50.0, source="exact")
    old = replace(latency(40.4, 0.0, 0.01), shared_sd=None, own_sd=None)
    records = [record(t, metrics={MIOU: accuracy, LATENCY: one}) for t, one in enumerate([latency(40, 0.0, 0.01), old])]
    expected = 0.5 * (1 - erf(np.log(1.01) / np.hypot(0.01, 0.01) / np.sqrt(2)))
    assert front(records, GOALS, draws=20_000).probabilities[1] == pytest.approx(expected, abs=0.014)


def test_the_interval_of_its_own_is_the_part_that_is_not_shared() -> None:
    low, high = own_interval(latency(40.0, 0.3, 0.01)) or (0.0, 0.0)
    assert (low, high) == pytest.approx((40 * np.exp(-0.01959964), 40 * np.exp(0.01959964)))
    assert own_interval(Metric(value=40.0, source="predicted", low=30.0, high=50.0)) is None


def test_probabilities_are_reproducible() -> None:
    metrics = [{MIOU: Metric(value=50.0 + t, source="trained", low=45.0 + t, high=55.0 + t),
                LATENCY: Metric(value=4.0 + t, source="predicted", low=3.0, high=9.0)} for t in range(5)]  # fmt: skip
    records = [record(t, metrics=one) for t, one in enumerate(metrics)]
    assert front(records, GOALS, seed=1).probabilities == front(records, GOALS, seed=1).probabilities
    assert front(records, GOALS, seed=1).probabilities != front(records, GOALS, seed=2).probabilities


def test_hypervolume_of_two_objectives() -> None:
    # Boxes to (4, 4): (1, 3) covers 3 * 1, (2, 2) adds 2 * 1, (3, 1) adds 1 * 1; (3, 3) and (5, 0) add nothing.
    points = np.array([[1, 3], [2, 2], [3, 1], [3, 3], [5, 0]], dtype=float)
    assert hypervolume(points, (4, 4)) == 3 * 1 + 2 * 1 + 1 * 1


def test_hypervolume_of_three_objectives() -> None:
    # Two boxes to (3, 3, 3), 2 * 2 * 1 and 1 * 1 * 3, that share 1 * 1 * 1.
    points = np.array([[1, 1, 2], [2, 2, 0]], dtype=float)
    assert hypervolume(points, (3, 3, 3)) == 2 * 2 * 1 + 1 * 1 * 3 - 1 * 1 * 1


@given(CLOUDS)
def test_hypervolume_is_the_number_of_cells_that_are_dominated(points: np.ndarray) -> None:
    m = points.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(5)] * m, indexing="ij"), axis=-1).reshape(-1, m)
    covered = [bool((points <= cell).all(axis=1).any()) for cell in cells]
    assert hypervolume(points, (5,) * m) == sum(covered)


def test_hypervolume_of_nothing_is_zero() -> None:
    assert hypervolume(np.empty((0, 2)), (1, 1)) == 0
    assert hypervolume(np.array([[1.0, 0.0]]), (1, 1)) == 0

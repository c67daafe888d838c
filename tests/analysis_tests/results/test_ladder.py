"""What a rung is worth against the truth."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau

from analysis.results.ladder import Ladder, RungQuality, Tau, kendall, ladder
from analysis.results.truth_table import Rung, TableDesign
from tests.analysis_tests.truth_tables import HALF, noise, numbered, table
from topformer.errors import InputError, StudyError

SUPERNET = Rung(metric="miou@supernet", source="supernet", iterations=0, schedule=0)


def number(design: TableDesign, _seed: int = 0) -> float:
    return design.costs["parameters"]


def rung(found: Ladder, name: str) -> RungQuality:
    return next(one for one in found.rungs if one.rung == name)


def test_tau_is_that_of_scipy_with_ties() -> None:
    random = np.random.default_rng(0)
    x, y = random.integers(0, 6, 25).astype(float), random.normal(size=25)
    y[:5] = x[:5]
    found = kendall([(x, y)])
    assert found is not None
    assert found.tau == pytest.approx(float(kendalltau(x, y).statistic))
    assert found.low < found.tau < found.high


def test_the_interval_holds_the_tau_of_the_population_nine_times_in_ten() -> None:
    # Of a normal pair with correlation r, tau is 2 / pi * arcsin(r).
    random, r, held = np.random.default_rng(1), 0.7, 0
    for seed in range(100):
        x = random.normal(size=40)
        y = r * x + np.sqrt(1 - r * r) * random.normal(size=40)
        found = kendall([(x, y)], seed=seed)
        assert found is not None
        held += found.low <= 2 / np.pi * np.arcsin(r) <= found.high
    assert held >= 88


def test_the_same_order_and_its_reverse() -> None:
    found = ladder(table(numbered(20), number, others={SUPERNET: lambda one, _: number(one) ** 3}))
    assert rung(found, "miou@supernet").tau == 1
    assert rung(found, "parameters").tau == 1
    assert rung(found, "macs").tau == -1
    assert (rung(found, "parameters").regret_best_ten, rung(found, "macs").regret_best_ten) == (0, 10)
    # Of 20 designs the best quarter are five.
    assert rung(found, "macs").tau_best_quarter == -1


def test_counts_stand_first_and_cost_nothing() -> None:
    found = ladder(table(numbered(20), number, others={HALF: number, SUPERNET: number}))
    assert [one.rung for one in found.rungs] == ["parameters", "macs", "miou@supernet", "trained 600 of 1200"]
    assert [one.seconds_per_design for one in found.rungs] == [0, 0, 2, 50]


def test_the_ceiling_is_the_order_of_one_seed_against_the_other() -> None:
    clean = ladder(table(numbered(20), number))
    assert clean.ceiling is not None
    assert clean.is_measured
    assert (clean.ceiling.tau, clean.noise) == (1, 0)
    spread = noise(10)
    noisy = ladder(table(numbered(20), lambda one, seed: number(one) + spread(one, seed)))
    assert noisy.ceiling is not None
    assert noisy.noise is not None
    assert noisy.ceiling.tau < 0.6
    assert 5 < noisy.noise < 15


def test_a_training_is_held_against_other_seeds_than_its_own() -> None:
    # Half-way scores that are the final ones of the same seed: against the other seed they are worth the ceiling.
    spread = noise(10)

    def final(one: TableDesign, seed: int) -> float:
        return number(one) + spread(one, seed)

    found = ladder(table(numbered(20), final, others={HALF: final}))
    assert found.ceiling is not None
    assert rung(found, HALF.name).across_seeds
    assert rung(found, HALF.name).tau == pytest.approx(found.ceiling.tau)
    single = ladder(table(numbered(20), final, others={HALF: final}, seeds=1))
    # From what is known of the metric: 1.60 between seeds blurs steps of 1 and noise of 10 a little.
    assert (single.noise, single.is_measured) == (1.60, False)
    assert single.ceiling is not None
    assert 0.8 < single.ceiling.tau < 1
    assert rung(single, HALF.name).across_seeds is False
    assert rung(single, HALF.name).tau == 1


def test_what_a_rung_takes_once_is_spread_over_three_hundred_designs() -> None:
    made = replace(table(numbered(8), number, others={SUPERNET: number}), fixed_seconds={SUPERNET.name: 600.0})
    assert rung(ladder(made), SUPERNET.name).seconds_per_design == 4


def test_too_few_designs_for_a_tau() -> None:
    with pytest.raises(StudyError, match="at least 5 designs with a full training, got 4"):
        ladder(table(numbered(4), number))
    few = table(numbered(8), number, others={SUPERNET: number})
    scores = {rung: found if rung != SUPERNET else found[:4] for rung, found in few.scores.items()}
    found = rung(ladder(replace(few, scores=scores)), SUPERNET.name)
    assert (found.designs, found.tau, found.low, found.regret_best_ten) == (4, None, None, None)


def test_as_json_every_rung_has_the_ceiling_beside_it() -> None:
    found = ladder(table(numbered(20), number)).to_json()
    assert found["designs"] == 20
    assert {"rung", "tau", "low", "high", "seconds_per_design", "ceiling"} <= found["rungs"][0].keys()
    assert found["rungs"][0]["ceiling"] == 1


def test_where_trainings_do_not_agree_there_is_no_share_of_the_ceiling() -> None:
    found = ladder(table(numbered(12), noise(1.0)))
    assert [found.share(None), replace(found, ceiling=None).share(0.5)] == [None, None]
    assert replace(found, ceiling=Tau(designs=12, tau=0.0, low=-1.0, high=1.0)).share(0.5) is None
    assert replace(found, ceiling=Tau(designs=12, tau=0.8, low=0.7, high=0.9)).share(0.4) == 0.5


def test_what_orders_nothing_has_no_tau() -> None:
    flat = table(numbered(20), number, others={SUPERNET: lambda _one, _seed: 3.0})
    found = ladder(flat)
    assert (rung(found, SUPERNET.name).tau, rung(found, SUPERNET.name).low) == (None, None)
    assert rung(found, SUPERNET.name).designs == 20
    assert "NaN" not in json.dumps(found.to_json())
    ones = np.ones(4)
    assert kendall([(ones, np.arange(4.0))]) is None
    assert kendall([(np.arange(4.0), ones)]) is None


def test_orders_are_of_the_same_designs() -> None:
    with pytest.raises(InputError, match=r"orders must be of the same designs, got \[1, 2\] of them"):
        kendall([(np.arange(2.0), np.arange(1.0))])
    with pytest.raises(InputError, match="got none of them"):
        kendall([])

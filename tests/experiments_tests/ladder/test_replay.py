"""Searches on recorded trainings."""

from dataclasses import replace

import pytest

from analysis.results.truth_table import Score
from experiments.ladder.pool import Pool
from experiments.ladder.replay import HALVING, LADDER, replay, replayed
from tests.analysis_tests.truth_tables import TRUTH
from tests.experiments_tests.ladder.pools import made_up, pool
from topformer.errors import InputError, StudyError


@pytest.mark.parametrize("name", ["random", "tpe", "nsga2", "ehvi"])
def test_a_search_reaches_all_when_it_has_tried_all(name: str) -> None:
    trace = replayed(name, pool(12), trials=12, seed=0)
    assert trace.shares[-1] == 1
    assert trace.shares.tolist() == sorted(trace.shares.tolist())
    assert trace.seconds.tolist() == [100.0 * k for k in range(1, 13)]


def test_a_search_is_that_of_its_seed() -> None:
    first, again, other = (replayed("tpe", pool(), trials=20, seed=seed).shares.tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_halving_pays_for_half_trainings_and_not_twice() -> None:
    # Of 24 designs all are trained to half and 12 of them to the end: 18 trainings' worth, and none whole by the 11th.
    trace = replayed(HALVING, pool(24), trials=18, seed=0)
    assert trace.seconds[-1] == pytest.approx(1800)
    assert not trace.shares[:11].any()
    assert trace.shares[-1] > 0.8


def test_a_sampler_that_learns_needs_fewer_trainings_than_random_search() -> None:
    random, ehvi = replay(pool(), ["random", "ehvi"], trials=24, seeds=6)
    assert random.needed is not None
    assert ehvi.needed is not None
    assert ehvi.needed <= random.needed
    assert all(low <= median <= high for low, median, high in zip(ehvi.low, ehvi.median, ehvi.high, strict=True))


def test_what_cannot_be_replayed_is_refused() -> None:
    with pytest.raises(StudyError, match="at most the 12 recorded designs, got 13"):
        replayed("random", pool(12), trials=13, seed=0)
    with pytest.raises(InputError, match="unknown sampler 'halfing'; did you mean 'halving'"):
        replay(pool(12), ["halfing"], trials=3, seeds=1)


def test_scores_that_cost_no_iterations_are_replayed_by_their_number() -> None:
    supernet = replace(TRUTH, source="supernet", metric="miou@supernet-x", iterations=0, schedule=0)
    made = made_up(12)
    table = replace(made, scores={supernet: made.scores[made.truth]}, truth=supernet)
    trace = replayed("random", Pool.of(table), trials=12, seed=0)
    assert trace.shares[-1] == 1
    assert trace.shares.tolist() == sorted(trace.shares.tolist())
    with pytest.raises(StudyError, match="needs learning curves that reach half of the schedule"):
        replayed(HALVING, Pool.of(table), trials=6, seed=0)


def scored(designs: int, *, once: float = 0.0) -> Pool:
    """Scores that rank exactly as the means of the trainings do, at 5 seconds each."""
    made = made_up(designs)
    rung = replace(TRUTH, source="supernet", metric="miou@supernet-x", iterations=0, schedule=0)
    truth = made.by_seed(made.truth)
    scores = tuple(
        Score(fingerprint=name, seed=0, value=sum(values.values()) / len(values), seconds=5.0)
        for name, values in truth.items()
    )
    return Pool.of(replace(made, scores={**made.scores, rung: scores}, fixed_seconds={rung.name: once}))


def test_the_ladder_pays_for_every_score_and_trains_who_ranks_first() -> None:
    trace = replayed(LADDER, scored(24, once=600.0), trials=12, seed=0)
    # 24 scores, with the supernet's training spread over 300 designs, then a training of 100 seconds.
    assert trace.seconds[0] == pytest.approx(24 * (5 + 600 / 300) + 100)
    assert trace.seconds[-1] == pytest.approx(24 * 7 + 1200)
    random, ladder = replay(scored(24), ["random", LADDER], trials=12, seeds=6)
    assert random.needed_seconds == 100 * (random.needed or 0)
    assert ladder.needed is not None
    assert ladder.needed_seconds == 24 * 5 + 100 * ladder.needed
    assert ladder.needed < (random.needed or 0)


def test_a_ladder_without_the_scores_of_all_designs_is_refused() -> None:
    with pytest.raises(StudyError, match="the score of a supernet for every design, got none"):
        replayed(LADDER, pool(12), trials=6, seed=0)

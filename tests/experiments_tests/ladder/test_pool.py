"""Recorded designs that can be searched."""

from dataclasses import replace
from random import Random

import pytest

from experiments.ladder.pool import Pool
from tests.analysis_tests.truth_tables import HALF, numbered, table
from tests.experiments_tests.ladder.pools import made_up, pool
from topformer.errors import StudyError


def test_the_nearest_design_that_is_left_answers() -> None:
    found = pool()
    everything = set(range(len(found)))
    assert found.nearest(found.labels(7), everything, Random(0)) == 7
    assert found.nearest(found.labels(7), everything - {7}, Random(0)) != 7
    # One step of the width is nearer than another kind of pooling.
    labels = {**found.labels(0), "width": "160"}
    assert found.nearest(labels, {0, 3}, Random(0)) == 0


def test_the_whole_pool_has_the_whole_hypervolume() -> None:
    found = pool()
    assert found.share(list(range(len(found)))) == 1
    assert 0 <= found.share([0]) < 1


def test_samplers_that_know_costs_choose_from_the_pool_alone() -> None:
    found = pool()
    designs = found.designs()
    assert len(designs) == len(found)
    assert designs.costs[:, designs.columns.index("latency_ms")] == pytest.approx(found.costs)
    assert designs.is_whole


def test_the_curve_at_half_of_the_schedule_is_the_early_rung() -> None:
    assert pool().early == HALF
    scores = {rung: found for rung, found in made_up().scores.items() if rung != HALF}
    assert Pool.of(replace(made_up(), scores=scores)).early is None


def test_a_table_that_does_not_say_its_space_cannot_be_searched() -> None:
    with pytest.raises(StudyError, match="names its space, got None"):
        Pool.of(table(numbered(3), lambda one, _: 1.0))
    with pytest.raises(StudyError, match="at least 2 designs with a full training, got 1"):
        Pool.of(table(numbered(1), lambda one, _: 1.0))

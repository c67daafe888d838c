"""Several trainings of a design together."""

import pytest

from analysis.records.fidelity import Fidelity
from analysis.records.record import Record
from analysis.results.confirmed import by_rung, confirmed
from analysis.results.pareto import Objective, front
from tests.analysis_tests.examples import FIDELITY, LATENCY, MIOU, record

SHORT = Fidelity(evaluator=FIDELITY.evaluator, data=FIDELITY.data, size=FIDELITY.size, budget=300)
GOALS = (Objective(MIOU, "max"), Objective(LATENCY, "min"))


def trained(trial: int, *scores: float) -> list[Record]:
    return [record(trial, score, seed=seed, latency_ms=trial + 1.0) for seed, score in enumerate(scores)]


def test_a_design_has_the_mean_of_its_seeds_and_the_interval_of_that_mean() -> None:
    found = confirmed([*trained(0, 50, 52), record(1, 30, fidelity=SHORT), record(2, None)], FIDELITY, MIOU)
    first, pruned = found.records
    assert first.metrics[MIOU].value == 51
    assert first.details["seeds"] == {"0": 50, "1": 52}
    assert [one.trial for one in found.lower] == [1]
    assert pruned.trial == 2
    # One design with two seeds says less than what is known of the metric.
    assert found.noise is not None
    assert found.noise.designs == 15
    assert first.metrics[MIOU].low == pytest.approx(51 - 1.96 * 1.60 / 2**0.5, abs=1e-3)


def test_the_noise_of_the_own_trainings_replaces_the_known_one() -> None:
    found = confirmed([one for trial in range(4) for one in trained(trial, 50, 54)], FIDELITY, MIOU)
    assert found.noise is not None
    assert found.noise.source == "this study's own trainings"
    assert found.noise.sd > 2.8


def test_seed_noise_blurs_who_is_on_the_front() -> None:
    # The second is slower and half a point better: one seed each cannot tell.
    found = confirmed([*trained(0, 50), *trained(1, 50.5)], FIDELITY, MIOU)
    chances = front(found.records, GOALS).probabilities
    assert chances[0] == 1
    assert 0.5 < chances[1] < 0.8


def test_a_run_without_rungs_stays_as_it_is() -> None:
    records = [record(0, 50), record(1, 51, fidelity=SHORT)]
    assert by_rung(records, None, GOALS).records == tuple(records)
    assert by_rung(records, FIDELITY, GOALS).lower == (records[1],)

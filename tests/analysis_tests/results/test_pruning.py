"""How many pruned designs an exact latency model would have kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtr
from scipy.stats import norm

from analysis.records.record import Metric, Record, State
from analysis.reports.run_report import pareto_plot, read_run, write_pareto
from analysis.results.pruning import WrongPrunes, wrong_prunes
from search_space.latency.predictive_spread import probability_above
from tests.analysis_tests.examples import LATENCY, record, run_folder

LIMITS = {"latency_ms": 6.0, "alpha": 0.05}


def pruned(trial: int, **excess: float) -> Record:
    return record(trial, None, 9.0, details={"constraints": excess})


def test_the_expected_number_is_the_sum_of_the_chances_to_meet_the_limit() -> None:
    # P(latency > limit) of 0.96, 0.99 and 1.00 exceed 0.95 by 0.01, 0.04 and 0.05: 0.04 + 0.01 + 0.00 = 0.05.
    found = wrong_prunes([pruned(0, latency_ms=0.01), pruned(1, latency_ms=0.04), pruned(2, latency_ms=0.05)], LIMITS)
    assert found is not None
    assert found.pruned == 3
    assert found.expected == pytest.approx(0.05)
    assert found.rate == pytest.approx(0.05 / 3)


def test_the_chance_is_that_of_the_prediction() -> None:
    # 9 ms with a scale of 0.1 and 2 degrees against 6 ms: t = log(9 / 6) / 0.1 = 4.05.
    above = float(probability_above(6.0, 9.0, 0.1, 2))
    found = wrong_prunes([pruned(0, latency_ms=above - 0.95)], LIMITS)
    assert found is not None
    assert found.expected == pytest.approx(stdtr(2, -4.0546511), rel=1e-6)


def test_a_shared_error_makes_them_few_or_many() -> None:
    # log(6.6 / 6) = 0.0953. With the shared error at its tenths, +-1.2816 * 0.1, the margins are -0.2235 and +0.0328 in
    # a scatter of 0.05: Phi(-4.47) and Phi(0.657) of each.
    half = 1.959964 * np.hypot(0.1, 0.05)
    one = Metric(value=6.6, source="predicted", low=6.6 * np.exp(-half), high=6.6 * np.exp(half),
                 shared_sd=0.1, own_sd=0.05)  # fmt: skip
    records = [replace(pruned(t, latency_ms=0.01), metrics={LATENCY: one}) for t in range(100)]
    found = wrong_prunes(records, LIMITS)
    assert found is not None
    assert found.between == pytest.approx((100 * norm.cdf(-4.469), 100 * norm.cdf(0.657)), rel=1e-2)
    assert str(found).endswith("(one time in ten 74.4 or more, one in ten 0.000392 or fewer: they share an error)")


def test_no_rate_exceeds_alpha() -> None:
    found = wrong_prunes([pruned(t, latency_ms=1e-9) for t in range(10)], LIMITS)
    assert found is not None
    assert found.rate == pytest.approx(0.05)


def test_what_another_limit_prunes_too_would_not_have_been_kept() -> None:
    records = [pruned(0, latency_ms=0.01, macs=0.2), pruned(1, macs=0.2, latency_ms=-0.5), pruned(2, latency_ms=0.02)]
    found = wrong_prunes(records, LIMITS)
    assert found is not None
    assert found.pruned == 1
    assert found.expected == pytest.approx(0.03)


def test_only_pruned_designs_count() -> None:
    kept = record(0, details={"constraints": {"latency_ms": -0.2}})
    failed = record(1, state=State.FAILED, details={"constraints": {"latency_ms": -0.1}})
    assert wrong_prunes([kept, failed], LIMITS) == WrongPrunes(0, 0)
    assert WrongPrunes(0, 0).rate == 0


def test_without_a_limit_there_is_nothing_to_say() -> None:
    assert wrong_prunes([pruned(0, macs=0.2)], {"macs": 5.0, "alpha": 0.05}) is None


def test_caption_and_page_say_it(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, [record(0), *(pruned(t, latency_ms=0.03) for t in range(1, 1301))])
    # 1,300 times 0.05 - 0.03.
    line = "Of 1,300 pruned by latency alone, 26 (2.0%) are expected to meet the limit."
    assert pareto_plot(read_run(folder)).caption[1] == line
    assert line in write_pareto(folder).markdown.read_text()

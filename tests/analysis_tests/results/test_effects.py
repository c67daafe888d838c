"""What a difference between two rows is worth, when every row has its own noise."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.records.record import JsonlStore
from analysis.results.effects import (
    LEVEL,
    Agreement,
    Difference,
    Direction,
    agreement,
    difference,
    differences,
    groups,
    holm,
    summary,
)
from tests import ROOT

SCORES = {"full": [53.0, 49.9, 51.2], "none": [42.4, 44.7, 43.0], "wide": [54.1, 50.2, 51.9]}


def recorded() -> list[list[float]]:
    """The scores of the 15 recorded designs, three seeds each."""
    scores: dict[str, dict[int, float]] = {}
    for record in JsonlStore(ROOT / "docs" / "ablations" / "records.jsonl"):
        scores.setdefault(record.fingerprint, {})[record.seed] = record.metrics["miou@tokenworld-128"].value
    return [[runs[seed] for seed in sorted(runs)] for runs in scores.values()]


def test_the_interval_of_a_mean_is_the_one_of_scipy() -> None:
    row = summary(SCORES["full"])
    low, high = stats.t.interval(0.95, 2, loc=np.mean(SCORES["full"]), scale=stats.sem(SCORES["full"]))
    assert row.n == 3
    assert [row.mean, row.low, row.high] == pytest.approx([154.1 / 3, low, high])


def test_a_single_seed_has_no_interval() -> None:
    assert (summary([4.0]).sd, summary([4.0]).low) == (None, None)


@pytest.mark.parametrize("row", [SCORES["none"], [42.4, 44.7, 43.0, 49.0, 30.0]])
def test_a_difference_is_that_of_scipys_welch_test(row: list[float]) -> None:
    gap, expected = difference(row, SCORES["full"]), stats.ttest_ind(row, SCORES["full"], equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert gap.p == pytest.approx(expected.pvalue)
    assert [gap.low, gap.high, gap.degrees] == pytest.approx([interval.low, interval.high, expected.df])


def test_holm_by_hand() -> None:
    # Ascending 0.01 * 3, 0.03 * 2, 0.04 * 1, each at least the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_the_comparisons_of_a_table_are_corrected_together() -> None:
    gaps = differences(SCORES, "full")
    alone = {name: difference(SCORES[name], SCORES["full"]).p for name in gaps}
    assert gaps["none"].p == alone["none"]
    assert alone["none"] is not None
    assert gaps["none"].p_holm == pytest.approx(2 * alone["none"])


def test_one_seed_makes_no_groups_and_no_p_value() -> None:
    assert groups({"a": [1.0], "b": [9.0]}) == {"a": "", "b": ""}
    assert differences({"a": [1.0], "b": [9.0]}, "a") == {"b": Difference(mean=8.0)}


@pytest.mark.parametrize("other", [0.1 + 0.2, 9.0])
def test_seeds_that_change_nothing_are_no_evidence(other: float) -> None:
    gap = differences({"a": [0.3] * 3, "b": [other] * 3}, "a")["b"]
    assert (gap.p, gap.low, gap.is_shown) == (None, None, False)
    assert groups({"a": [0.3] * 3, "b": [other] * 3}) == {"a": "", "b": ""}


def simulated(sds: NDArray[np.float64], seeds: int, tables: int) -> NDArray[np.float64]:
    """(tables, rows, seeds) scores of rows that all have the mean 0, and each its own noise."""
    return np.random.default_rng(5).standard_normal((tables, len(sds), seeds)) * sds[:, None]


def share(count: Callable[[NDArray[np.float64]], float], tables: NDArray[np.float64]) -> float:
    return float(np.mean([count(table) for table in tables]))


SDS = np.array([np.std(runs, ddof=1) for runs in recorded()])
"""0.09 to 5.43: the noise of the product's own rows."""


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("place", range(0, 15, 2))
def test_intervals_cover_the_true_difference_whatever_the_noise_of_the_row(seeds: int, place: int) -> None:
    # The baseline is the recorded one, of 0.78. Noise pooled over a table covers 80 to 90 % of its noisiest row.
    pair = np.array([0.78, np.sort(SDS)[place]])

    def covers(table: NDArray[np.float64]) -> float:
        gap = difference(table[1].tolist(), table[0].tolist())
        return gap.low is not None and gap.high is not None and gap.low <= 0 <= gap.high

    assert 0.93 <= share(covers, simulated(pair, seeds, 2500)) <= 0.98


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_table_without_any_difference_seldom_shows_one(seeds: int) -> None:
    # Rows as different in their noise as the recorded ones; pooled noise shows a difference in 11 % of such tables.
    rows = np.quantile(SDS, [0.5, 0.0, 0.25, 0.75, 1.0])

    def is_alarm(table: NDArray[np.float64]) -> float:
        gaps = differences({str(index): row.tolist() for index, row in enumerate(table)}, "0")
        return any(gap.is_shown for gap in gaps.values())

    assert share(is_alarm, simulated(rows, seeds, 1000)) <= 0.07


@pytest.mark.parametrize("seeds", [3, 5])
def test_letters_seldom_tell_equal_rows_apart(seeds: int) -> None:
    rows = np.quantile(SDS, [0.0, 0.25, 0.5, 0.75, 1.0])

    def is_alarm(table: NDArray[np.float64]) -> float:
        return set(groups({str(index): row.tolist() for index, row in enumerate(table)}).values()) != {"a"}

    assert share(is_alarm, simulated(rows, seeds, 500)) <= LEVEL + 0.02


def test_a_seed_moves_different_networks_in_unrelated_ways() -> None:
    # Why rows are not paired by seed: of the recorded runs, the mean correlation of two designs over seeds is 0.04.
    correlations = np.corrcoef(np.array(recorded()))[np.triu_indices(15, 1)]
    assert abs(correlations.mean()) < 0.1


def test_rows_that_are_not_shown_to_differ_share_a_letter() -> None:
    letters = groups({"a": [50.0, 50.2, 49.8], "b": [50.1, 49.9, 50.0], "c": [40.0, 40.1, 39.9]})
    assert letters == {"a": "a", "b": "a", "c": "b"}


def test_a_noisy_row_can_belong_to_two_sets_that_differ() -> None:
    rows = {"x": [60.0, 60.1, 60.2], "noisy": [40.0, 70.0, 52.0], "y": [50.0, 50.1, 50.2], "z": [49.9, 50.0, 50.1]}
    assert groups(rows) == {"x": "a", "noisy": "ab", "y": "b", "z": "b"}


def shown(mean: float, half: float, p: float) -> Difference:
    return Difference(mean=mean, error=1.0, degrees=2.0, low=mean - half, high=mean + half, p=p, p_holm=p)


@pytest.mark.parametrize(
    ("claim", "gap", "verdict"),
    [
        (Direction.WORSE, shown(-5, 2, 0.001), Agreement.AGREES),
        (Direction.WORSE, shown(5, 2, 0.001), Agreement.DISAGREES),
        (Direction.BETTER, shown(1, 2, 0.3), Agreement.CANNOT_TELL),
        (Direction.SIMILAR, shown(0.2, 0.5, 0.6), Agreement.AGREES),
        (Direction.SIMILAR, shown(0.2, 3.0, 0.9), Agreement.CANNOT_TELL),
        (Direction.SIMILAR, shown(-4, 1.0, 0.001), Agreement.DISAGREES),
        (None, shown(-5, 2, 0.001), Agreement.UNKNOWN),
        (Direction.WORSE, None, Agreement.CANNOT_TELL),
        (Direction.WORSE, Difference(mean=-9.0), Agreement.CANNOT_TELL),
    ],
)
def test_agreement_with_the_paper(claim: Direction | None, gap: Difference | None, verdict: Agreement) -> None:
    assert agreement(claim, gap, similar_within=1.0) is verdict

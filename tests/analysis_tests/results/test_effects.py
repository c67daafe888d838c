import numpy as np
import pytest
from scipy import stats

from analysis.records.record import JsonlStore
from analysis.results.effects import (
    KNOWN_NOISE,
    Agreement,
    Difference,
    Direction,
    agreement,
    differences,
    groups,
    holm,
    pooled_noise,
    residual,
    seeds_needed,
    smallest_difference,
    summary,
)
from tests import ROOT
from topformer.errors import InputError

SCORES = {"full": [53.0, 49.9, 51.2], "none": [42.4, 44.7, 43.0], "wide": [54.1, 50.2, 51.9]}


def test_the_interval_of_a_mean_is_the_one_of_scipy() -> None:
    found = summary(SCORES["full"])
    low, high = stats.t.interval(0.95, 2, loc=np.mean(SCORES["full"]), scale=stats.sem(SCORES["full"]))
    assert found.n == 3
    assert [found.mean, found.low, found.high] == pytest.approx([154.1 / 3, low, high])


def test_a_single_seed_has_no_interval() -> None:
    assert (summary([4.0]).sd, summary([4.0]).low) == (None, None)


def test_with_two_rows_the_difference_is_the_paired_t_test() -> None:
    two = {"full": SCORES["full"], "none": SCORES["none"]}
    found, expected = differences(two, "full")["none"], stats.ttest_rel(SCORES["none"], SCORES["full"])
    interval = expected.confidence_interval(0.95)
    assert [found.p, found.p_holm, found.own_p] == pytest.approx([expected.pvalue] * 3)
    assert [found.low, found.high] == pytest.approx([interval.low, interval.high])
    assert [found.own_low, found.own_high] == pytest.approx([interval.low, interval.high])


def test_with_more_rows_the_own_interval_stays_that_of_the_pair() -> None:
    found, expected = differences(SCORES, "full")["none"], stats.ttest_rel(SCORES["none"], SCORES["full"])
    assert found.own_p == pytest.approx(expected.pvalue)
    assert found.own_low == pytest.approx(expected.confidence_interval(0.95).low)


def test_the_residual_of_rows_and_seeds_by_hand() -> None:
    # Row means 2 and 5, seed means 2.5, 3.5 and 4.5, grand mean 3.5. Residuals of the first row:
    # 1 - 2 - 2.5 + 3.5 = 0, 3 - 2 - 3.5 + 3.5 = 1, 2 - 2 - 4.5 + 3.5 = -1; the second row has the opposite.
    sd, degrees = residual({"a": [1.0, 3.0, 2.0], "b": [4.0, 4.0, 7.0]})
    assert sd == pytest.approx(np.sqrt(4 / 2))
    assert degrees == 2


def test_what_shifts_all_rows_of_a_seed_alike_is_no_noise() -> None:
    shifted = {name: [value + shift for value, shift in zip(row, (0, 30, -20), strict=True)]
               for name, row in SCORES.items()}  # fmt: skip
    before, after = differences(SCORES, "full"), differences(shifted, "full")
    assert after["none"].p == pytest.approx(before["none"].p)
    assert after["wide"].low == pytest.approx(before["wide"].low)


def test_holm_by_hand() -> None:
    # Ascending 0.01 * 3, 0.03 * 2, 0.04 * 1, each at least the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_rows_that_cannot_be_told_apart_share_a_letter() -> None:
    found = groups({"a": [50.0, 50.2, 49.8], "b": [50.1, 49.9, 50.0], "c": [40.0, 40.1, 39.9]})
    assert found["a"] == found["b"] == "a"
    assert found["c"] == "b"


def test_a_row_between_two_others_can_belong_to_both() -> None:
    # The residual is 1.81 with 14 degrees: neighbours are 2.2 standard errors apart (p 0.04, by Holm 0.09), the outer
    # two 4.4 (by Holm 0.002).
    noise = np.array([[1, -1, 1, -1, 1, -1, 1, -1], [-1, 1, 1, -1, -1, 1, 1, -1], [0, 0, -2, 2, 0, 0, -2, 2]]) * 1.2
    rows = {name: list(level + noise[i]) for i, (name, level) in enumerate({"x": 12.0, "y": 10.0, "z": 8.0}.items())}
    assert groups(rows) == {"x": "a", "y": "ab", "z": "b"}


def test_one_seed_makes_no_groups_and_no_p_value() -> None:
    assert groups({"a": [1.0], "b": [9.0]}) == {"a": "", "b": ""}
    assert differences({"a": [1.0], "b": [9.0]}, "a") == {"b": Difference(n=1, mean=8.0)}


def test_the_smallest_difference_has_the_stated_power_by_the_noncentral_t() -> None:
    least = smallest_difference(1.69, seeds=5, rows=3)
    assert least is not None
    degrees, shift = 8, least / (1.69 * np.sqrt(2 / 5))
    critical = stats.t.ppf(1 - 0.05 / 2 / 2, degrees)
    assert stats.nct.sf(critical, degrees, shift) == pytest.approx(0.8, abs=1e-3)


def test_the_smallest_difference_of_many_seeds_is_that_of_the_normal_distribution() -> None:
    # (1.960 + 0.842) * sd * sqrt(2 / n), the textbook formula for level 5 % and power 80 %.
    assert smallest_difference(2.0, seeds=800, rows=2) == pytest.approx(
        (1.960 + 0.842) * 2 * np.sqrt(2 / 800), rel=5e-3
    )


def test_one_seed_or_one_row_can_show_nothing() -> None:
    assert smallest_difference(1.0, seeds=1, rows=4) is None
    assert smallest_difference(1.0, seeds=4, rows=1) is None


@pytest.mark.parametrize("rows", [2, 5])
def test_the_needed_seeds_are_the_fewest_that_suffice(rows: int) -> None:
    seeds = seeds_needed(1.69, 2.0, rows=rows)
    assert seeds is not None
    enough, fewer = (smallest_difference(1.69, seeds=n, rows=rows) for n in (seeds, seeds - 1))
    assert enough is not None
    assert fewer is not None
    assert enough <= 2.0 < fewer


def test_a_tiny_difference_needs_more_seeds_than_anybody_has() -> None:
    assert seeds_needed(1.69, 0.01, rows=2) is None


def test_a_difference_of_nothing_cannot_be_asked_for() -> None:
    with pytest.raises(InputError, match="above 0, got 0"):
        seeds_needed(1.0, 0.0, rows=2)


def test_the_known_noise_of_the_embedded_data_is_that_of_its_recorded_runs() -> None:
    scores: dict[str, list[float]] = {}
    for record in JsonlStore(ROOT / "docs" / "ablations" / "records.jsonl"):
        scores.setdefault(record.fingerprint, []).append(record.metrics["miou@tokenworld-128"].value)
    squares = sum(float(np.var(values, ddof=1)) * (len(values) - 1) for values in scores.values())
    degrees = sum(len(values) - 1 for values in scores.values())
    known = KNOWN_NOISE["miou@tokenworld-128"]
    assert known.sd == pytest.approx(np.sqrt(squares / degrees), abs=5e-3)
    assert known.degrees == degrees
    assert pooled_noise(list(scores.values())) == pytest.approx((np.sqrt(squares / degrees), degrees))


def test_single_runs_say_nothing_about_noise() -> None:
    assert pooled_noise([[1.0], [2.0]]) is None


def shown(mean: float, half: float, p: float) -> Difference:
    return Difference(n=3, mean=mean, low=mean - half, high=mean + half, p=p, p_holm=p)


@pytest.mark.parametrize(
    ("said", "found", "verdict"),
    [
        (Direction.WORSE, shown(-5, 2, 0.001), Agreement.AGREES),
        (Direction.WORSE, shown(5, 2, 0.001), Agreement.DISAGREES),
        (Direction.BETTER, shown(1, 2, 0.3), Agreement.CANNOT_TELL),
        (Direction.SIMILAR, shown(0.2, 0.5, 0.6), Agreement.AGREES),
        (Direction.SIMILAR, shown(0.2, 3.0, 0.9), Agreement.CANNOT_TELL),
        (Direction.SIMILAR, shown(-4, 1.0, 0.001), Agreement.DISAGREES),
        (None, shown(-5, 2, 0.001), Agreement.UNKNOWN),
        (Direction.WORSE, None, Agreement.CANNOT_TELL),
        (Direction.WORSE, Difference(n=1, mean=-9.0), Agreement.CANNOT_TELL),
    ],
)
def test_agreement_with_the_paper(said: Direction | None, found: Difference | None, verdict: Agreement) -> None:
    assert agreement(said, found, similar_within=1.0) is verdict

"""What a number of seeds can show: by the noncentral t, by textbook formulas, and by simulation."""

import numpy as np
import pytest
from scipy import stats

from analysis.records.record import JsonlStore
from analysis.results.effects import Direction, difference
from analysis.results.power import (
    KNOWN_NOISE,
    noise_sentence,
    power_sentence,
    sd_sentence,
    seeds_for_verdict,
    seeds_needed,
    smallest_difference,
    typical_noise,
)
from tests import ROOT
from topformer.errors import InputError


def test_the_smallest_difference_has_the_stated_power_by_the_noncentral_t() -> None:
    least = smallest_difference((1.69, 1.69), seeds=5, comparisons=2)
    assert least is not None
    degrees, shift = 8, least / (1.69 * np.sqrt(2 / 5))
    critical = stats.t.ppf(1 - 0.05 / 2 / 2, degrees)
    assert stats.nct.sf(critical, degrees, shift) == pytest.approx(0.8, abs=1e-3)


def test_the_smallest_difference_of_many_seeds_is_that_of_the_normal_distribution() -> None:
    # (1.960 + 0.842) * sd * sqrt(2 / n), the textbook formula for level 5 % and power 80 %.
    assert smallest_difference((2.0, 2.0), seeds=800, comparisons=1) == pytest.approx(
        (1.960 + 0.842) * 2 * np.sqrt(2 / 800), rel=5e-3
    )


@pytest.mark.parametrize("pair", [(0.4, 0.78), (5.43, 0.78)])
def test_a_simulation_shows_the_smallest_difference_as_often_as_is_said(pair: tuple[float, float]) -> None:
    least = smallest_difference(pair, seeds=5, comparisons=1)
    assert least is not None
    random = np.random.default_rng(1)
    gaps = [
        difference(
            (least + pair[0] * random.standard_normal(5)).tolist(), (pair[1] * random.standard_normal(5)).tolist()
        )
        for _ in range(2000)
    ]
    assert np.mean([gap.p is not None and gap.p < 0.05 for gap in gaps]) == pytest.approx(0.8, abs=0.03)


def test_one_seed_no_comparison_or_no_noise_can_show_nothing() -> None:
    assert smallest_difference((1.0, 1.0), seeds=1, comparisons=3) is None
    assert smallest_difference((1.0, 1.0), seeds=4, comparisons=0) is None
    assert smallest_difference((0.0, 0.0), seeds=4, comparisons=1) is None


@pytest.mark.parametrize("comparisons", [1, 4])
def test_the_needed_seeds_are_the_fewest_that_suffice(comparisons: int) -> None:
    seeds = seeds_needed((1.69, 1.69), 2.0, comparisons=comparisons)
    assert seeds is not None
    enough, fewer = (smallest_difference((1.69, 1.69), seeds=n, comparisons=comparisons) for n in (seeds, seeds - 1))
    assert enough is not None
    assert fewer is not None
    assert enough <= 2.0 < fewer


def test_a_tiny_difference_needs_more_seeds_than_anybody_has() -> None:
    assert seeds_needed((1.69, 1.69), 0.01, comparisons=1) is None


def test_a_difference_of_nothing_cannot_be_asked_for() -> None:
    with pytest.raises(InputError, match="above 0, got 0"):
        seeds_needed((1.0, 1.0), 0.0, comparisons=1)


def verdict(claim: Direction, gap: float, pair: tuple[float, float] = (1.0, 1.0)) -> int | None:
    return seeds_for_verdict(claim, pair, gap, comparisons=3, similar_within=1.0)


def test_a_verdict_on_a_direction_needs_the_seeds_that_show_the_difference() -> None:
    assert verdict(Direction.WORSE, -1.5) == seeds_needed((1.0, 1.0), 1.5, comparisons=3)
    assert verdict(Direction.WORSE, 0.0) is None
    assert verdict(Direction.WORSE, -1.5, (0.0, 0.0)) is None


def test_a_verdict_on_similar_needs_an_interval_that_fits() -> None:
    # Half an interval of n seeds with sd 1 each is t(2n - 2) * sqrt(2 / n): 1.032 for 9 seeds, 0.969 for 10.
    halves = {n: stats.t.ppf(0.975, 2 * n - 2) * np.sqrt(2 / n) for n in (8, 9, 10)}
    assert halves[8] > 1 > halves[9]
    assert verdict(Direction.SIMILAR, 0.0) == 9
    assert verdict(Direction.SIMILAR, 2.0) == 9
    assert verdict(Direction.SIMILAR, 1.0) is None


def test_the_known_noise_is_that_of_the_runs_that_it_names() -> None:
    known = KNOWN_NOISE["miou@tokenworld-128"]
    path = ROOT / known.source.partition(":")[0]
    scores: dict[str, list[float]] = {}
    for record in JsonlStore(path):
        scores.setdefault(record.fingerprint, []).append(record.metrics["miou@tokenworld-128"].value)
    noise = typical_noise(list(scores.values()), known.source)
    assert noise is not None
    assert (noise.designs, noise.source) == (known.designs, known.source)
    assert [noise.sd, noise.least, noise.largest] == pytest.approx([known.sd, known.least, known.largest], abs=5e-3)


def test_every_known_noise_names_its_runs() -> None:
    assert all((ROOT / noise.source.partition(":")[0]).is_file() for noise in KNOWN_NOISE.values())


def test_the_typical_noise_is_right_half_of_the_time() -> None:
    runs = np.random.default_rng(0).standard_normal((4001, 3)) * 2.0
    noise = typical_noise(runs.tolist(), "a simulation")
    assert noise is not None
    assert noise.sd == pytest.approx(2.0, rel=0.03)
    assert typical_noise([[1.0], [2.0]], "") is None


def test_what_three_seeds_know_of_a_standard_deviation() -> None:
    # 2 / chi2(0.975, 2) = 2 / 7.378 and 2 / chi2(0.025, 2) = 2 / 0.0506.
    assert "the true one is 0.5 to 6.3 times as large" in sd_sentence(3)
    assert sd_sentence(1) == ""


def test_the_power_of_a_table_is_that_of_its_rows() -> None:
    text = power_sentence([(0.1, 0.8), (5.4, 0.8)], seeds=3, detect=2.0)
    least, most = (smallest_difference(pair, seeds=3, comparisons=2) for pair in ((0.1, 0.8), (5.4, 0.8)))
    assert f"of {least:.1f} (quietest row) to {most:.1f} (noisiest) points" in text
    assert "Holm over 2 comparisons" in text
    assert power_sentence([], seeds=3, detect=2.0) == ""
    assert power_sentence([(1.0, 1.0)], seeds=1, detect=2.0).startswith("one seed can show no difference; 2 points")


def test_the_noise_is_stated_with_its_source() -> None:
    assert "not known yet" in noise_sentence(None)
    assert "docs/ablations/records.jsonl" in noise_sentence(KNOWN_NOISE["miou@tokenworld-128"])

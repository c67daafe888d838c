"""What changes between two devices."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from analysis.records.record import Record
from analysis.results.comparison import compare_costs, compare_records
from analysis.results.pareto import Objective
from search_space.candidate import Candidate
from search_space.latency.calibration.devices import device
from search_space.latency.coefficients import Coefficients
from search_space.latency.model import DeviceModel
from search_space.spaces.space import space
from tests.analysis_tests.examples import MIOU, record
from topformer import codec
from topformer.errors import InputError
from topformer.presets import BASE, NANO, SMALL, TINY

PHONE = device("snapdragon-865")
DESIGNS = [Candidate(design=design, height=512, width=512) for design in (NANO, TINY, SMALL, BASE)]


def at(coefficients: Coefficients) -> DeviceModel:
    return replace(PHONE, setup=replace(PHONE.setup, name="other"), coefficients=coefficients)


def test_a_device_that_is_slower_by_one_factor_changes_nothing_else() -> None:
    card = compare_costs(PHONE, at(PHONE.coefficients.scaled(3)), space("paper").sample(0, 300))
    assert card.ratio == pytest.approx((3, 3, 3))
    assert (card.drift, card.kendall) == pytest.approx((1, 1))
    assert (card.leaving, card.joining) == ((), ())
    assert card.front_first == card.front_second > 1


def test_the_ratio_is_that_of_the_predictions() -> None:
    other = device("raspberry-pi-5")
    card = compare_costs(PHONE, other, [DESIGNS[1], DESIGNS[1], DESIGNS[1]])
    expected = other.estimate(DESIGNS[1]).milliseconds / PHONE.estimate(DESIGNS[1]).milliseconds
    assert card.ratio == pytest.approx((expected,) * 3)


def test_rank_correlation_counts_pairs_that_change_order() -> None:
    # One device charges for MACs only, the other for kernels only, of which the width changes none.
    wide = [Candidate(design=replace(TINY, width=width), height=512, width=512) for width in (64, 128, 192)]
    deep = Candidate(design=replace(TINY, width=32, blocks=TINY.blocks * 2), height=512, width=512)
    counting = at(Coefficients(0, 0, 0, 0, 1))
    macs = at(Coefficients(1, 1, 0, 0, 0))
    card = compare_costs(macs, counting, [*wide, deep])
    # By kernels the three widths are equal and the deep one is slowest; by MACs some widths may be slower than it.
    first = [macs.estimate(one).milliseconds for one in (*wide, deep)]
    slower = sum(time > first[3] for time in first[:3])
    # Kendall's tau-b: (concordant - discordant) / sqrt(6 pairs * 3 pairs without a tie in the second).
    assert card.kendall == pytest.approx(((3 - slower) - slower) / (6 * 3) ** 0.5)


def trained(trial: int, candidate: Candidate, miou: float) -> Record:
    design = codec.to_json(candidate.design)
    return record(trial, miou, fingerprint=candidate.fingerprint, design=design, height=512, width=512)


def test_a_front_by_accuracy_switches_where_the_order_of_two_designs_does() -> None:
    # Twice the blocks at a quarter of the width: fewer MACs in more kernels. Whoever is slower and worse leaves.
    small = Candidate(design=TINY, height=512, width=512)
    deep = Candidate(design=replace(TINY, width=32, blocks=TINY.blocks * 2), height=512, width=512)
    by_macs, by_kernels = at(Coefficients(1, 1, 0, 0, 0)), at(Coefficients(0, 0, 0, 0, 1))
    order = sorted((small, deep), key=lambda one: by_macs.estimate(one).milliseconds)
    assert by_kernels.estimate(order[0]).milliseconds > by_kernels.estimate(order[1]).milliseconds
    records = [trained(0, order[0], 30), trained(1, order[1], 40), record(2, None)]
    card = compare_records(by_macs, by_kernels, records, Objective(MIOU, "max"))
    assert (card.designs, card.front_first, card.front_second) == (2, 2, 1)
    assert card.kendall == pytest.approx(-1)
    assert [one.fingerprint for one in card.leaving] == [order[0].fingerprint]
    assert card.joining == ()
    assert f"leaves {order[0].fingerprint}" in card.render()


def test_an_unknown_cost_and_too_few_designs_are_refused() -> None:
    with pytest.raises(InputError, match="parameters"):
        compare_costs(PHONE, PHONE, DESIGNS, worth="parameter")
    with pytest.raises(InputError, match=r"at least 2 designs with miou@tokenworld-128, got 0"):
        compare_records(PHONE, PHONE, [record(0, None)], Objective(MIOU, "max"))


def test_a_switch_is_as_sure_as_the_errors_of_single_designs_allow() -> None:
    small = Candidate(design=TINY, height=512, width=512)
    deep = Candidate(design=replace(TINY, width=32, blocks=TINY.blocks * 2), height=512, width=512)
    by_macs, by_kernels = at(Coefficients(1, 1, 0, 0, 0)), at(Coefficients(0, 0, 0, 0, 1))
    order = sorted((small, deep), key=lambda one: by_macs.estimate(one).milliseconds)
    records = [trained(0, order[0], 30), trained(1, order[1], 40)]
    card = compare_records(by_macs, by_kernels, records, Objective(MIOU, "max"))
    faster, slower = (by_macs.estimate(one) for one in order)
    # The worse one is on the front as long as it is the faster one: of two errors of each design alone.
    apart = np.log(slower.milliseconds / faster.milliseconds) / np.hypot(faster.own_sd, slower.own_sd)
    (switch,) = card.leaving
    assert switch.first_chance == pytest.approx(norm.cdf(apart), abs=0.06)
    assert switch.second_chance == 0
    assert card.sure == 0
    first, second = (replace(one, spread=replace(one.spread, left_out=1e-8, own=1e-9)) for one in (by_macs, by_kernels))
    assert compare_records(first, second, records, Objective(MIOU, "max")).sure == 1

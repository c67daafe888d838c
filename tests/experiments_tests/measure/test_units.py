"""Times in another unit are asked about, never believed."""

from dataclasses import replace

import pytest

from experiments.measure.calibration import calibrate
from experiments.measure.rows import MeasuredRow
from search_space.latency.calibration.devices import device
from tests.experiments_tests.measure.examples import NETWORKS, predicted_ms, row, time_ms
from topformer.errors import InputError
from topformer.presets import BASE, NANO, TINY

PRIOR = "snapdragon-865"


def times_1000(one: MeasuredRow) -> MeasuredRow:
    """The row as if its milliseconds were microseconds."""
    names = ("median_ms", "min_ms", "p90_ms", "mad_ms", "reference_ms")
    return replace(one, **{name: 1000 * getattr(one, name) for name in names})


def rows_of(slowness: float) -> list[MeasuredRow]:
    return [row(design, size, time_ms(design, size, slowness=slowness)) for design, size in NETWORKS]


@pytest.mark.parametrize("slowness", [0.2, 1.0, 4.0])
def test_microseconds_are_asked_about_and_read_when_named(slowness: float) -> None:
    rows = rows_of(slowness)
    with pytest.raises(InputError, match=r"the slowest known device, raspberry-pi-4, takes .*--unit us"):
        calibrate("board", [times_1000(one) for one in rows], prior=PRIOR)
    named = calibrate("board", [times_1000(one) for one in rows], prior=PRIOR, unit="us").model
    assert named.coefficients == pytest.approx(calibrate("board", rows, prior=PRIOR).model.coefficients)


@pytest.mark.parametrize("count", [1, 4])
def test_a_board_ten_times_slower_than_a_raspberry_pi_4_is_believed(count: int) -> None:
    pi = device("raspberry-pi-4")
    rows = [row(design, size, 10 * predicted_ms(pi, design, size)) for design, size in NETWORKS][:count]
    assert calibrate("board", rows, prior=PRIOR).model.ms_per_gmac > 5 * pi.ms_per_gmac


def test_a_device_as_slow_as_that_needs_the_word_of_its_user() -> None:
    rows = [times_1000(one) for one in rows_of(1.0)]
    assert calibrate("board", rows, prior=PRIOR, unit="ms").model.ms_per_gmac == pytest.approx(45_868, rel=0.01)


def test_units_that_are_mixed_between_sizes_are_refused() -> None:
    # Microseconds of a fast core: by themselves a slow board's milliseconds.
    fast = replace(row(NANO, 64, time_ms(NANO, 64, slowness=0.05)), reference_ms=20.0)
    rows = [row(TINY, 512, time_ms(TINY, 512, slowness=0.05)), row(BASE, 512, time_ms(BASE, 512, slowness=0.05))]
    mixed = replace(fast, median_ms=1000 * fast.median_ms)
    with pytest.raises(InputError, match=r"rows must be in one unit, got .* for nano 64x64 and .*512x512"):
        calibrate("board", [*rows, mixed], prior=PRIOR)

"""A device scaled from few rows: what was measured lies within its range, and its intervals hold on other devices."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from search_space.candidate import Candidate
from search_space.latency.calibration.devices import FITTED, device, read_rows
from search_space.latency.calibration.fitting import MeasuredNetwork, measured_candidate
from search_space.latency.calibration.transfer import transfer
from search_space.latency.devices import FOLDER, devices
from search_space.latency.model import DeviceModel
from topformer.presets import BASE, NANO, TINY

PRIOR = device("snapdragon-865")
SMALLEST = Candidate(design=NANO, height=64, width=64)


def scaled(rows: Sequence[MeasuredNetwork]) -> DeviceModel:
    return transfer(PRIOR, rows, PRIOR.setup)


def test_a_network_that_was_measured_is_not_extrapolated_to() -> None:
    assert any("extrapolated" in note for note in PRIOR.estimate(SMALLEST).notes)
    model = scaled([measured_candidate(SMALLEST, 1.0)])
    estimate = model.estimate(SMALLEST)
    assert estimate.milliseconds == pytest.approx(1.0)
    assert not any("extrapolated" in note for note in estimate.notes)


def test_an_interval_takes_each_source_with_its_own_degrees_of_freedom() -> None:
    estimate = scaled([measured_candidate(Candidate(design=TINY, height=512, width=512), 10.0)]).estimate(
        Candidate(design=BASE, height=512, width=512)
    )
    # Student's 97.5 % quantiles of 2 and 5 degrees, from a table: 4.303 and 2.571; the scaling error doubles with one
    # row, for the factor is as uncertain as the next network.
    half = np.sqrt(4.303**2 * PRIOR.spread.left_out + 2.571**2 * 2 * 0.13**2)
    assert np.log(estimate.high / estimate.milliseconds) == pytest.approx(half, rel=1e-3)


def test_rows_count_by_their_noise() -> None:
    rows = [measured_candidate(Candidate(design=design, height=512, width=512), 1.0) for design in (TINY, BASE)]
    expected = [PRIOR.estimate(Candidate(design=design, height=512, width=512)).milliseconds for design in (TINY, BASE)]
    sure, doubtful = replace(rows[0], latency_ms=expected[0], noise=0.03), replace(rows[1], latency_ms=8 * expected[1])
    model = scaled([sure, replace(doubtful, noise=0.06)])
    # Weights of 4 to 1: the factor is 8 to the power of 1/5.
    assert model.ms_per_gmac == pytest.approx(PRIOR.ms_per_gmac * 8**0.2)


@pytest.mark.parametrize("count", [1, 2])
def test_intervals_of_a_scaled_device_hold_on_the_devices_that_were_timed(count: int) -> None:
    inside = total = 0
    random = np.random.default_rng(0)
    for name in [name for name in devices() if name != PRIOR.name]:
        rows = read_rows(FOLDER / name, FITTED)
        for _ in range(5):
            chosen = random.choice(len(rows), count, replace=False).tolist()
            model = scaled([rows[index] for index in chosen])
            others = [row for index, row in enumerate(rows) if index not in chosen]
            features = np.array([model.feature_extractor.of_kernels(row.kernels) for row in others])
            times, table = np.array([row.latency_ms for row in others]), model.predict(features)
            inside += int(((table.low <= times) & (times <= table.high)).sum())
            total += len(others)
    assert total > 300
    assert inside / total >= 0.95

"""Known devices: their times are those of the table that was published, and their errors are those of their fits."""

import numpy as np
import pytest

from search_space.latency.calibration.devices import FITTED, HELD_OUT, known_devices, read_rows
from search_space.latency.calibration.known_devices import KnownDevice, amounts, engine_of, published_devices
from search_space.latency.devices import devices, folder_of


def test_shipped_devices_have_the_same_times_there() -> None:
    shared = [one for one in published_devices() if one.name in devices()]
    assert len(shared) == 4
    for one in shared:
        times = {row.name: row.latency_ms for row in one.rows}
        folder = folder_of(one.name)
        assert {row.name: row.latency_ms for role in (FITTED, HELD_OUT) for row in read_rows(folder, role)} == times


def test_known_are_the_published_and_the_other_shipped_devices() -> None:
    names = [one.name for one in known_devices()]
    assert len(names) == len(set(names)) == 46 + 3
    assert set(devices()) < set(names)


def test_an_error_is_the_log_of_measured_over_predicted() -> None:
    pi = next(one for one in published_devices() if one.name == "raspberry-pi-5")
    predicted = amounts(pi.rows) @ pi.coefficients.per_unit
    measured = [row.latency_ms for row in pi.rows]
    assert [pi.errors[row.name] for row in pi.rows] == pytest.approx(np.log(measured / predicted))
    assert np.mean(np.abs(list(pi.errors.values()))) < 0.15


def test_a_network_that_is_taken_out_changes_the_fit() -> None:
    pi = next(one for one in published_devices() if one.name == "raspberry-pi-5")
    without = pi.without("ncnn vgg16")
    assert isinstance(without, KnownDevice)
    assert "ncnn vgg16" not in without.errors
    assert len(without.rows) == len(pi.rows) - 1
    assert without.coefficients != pi.coefficients


@pytest.mark.parametrize(
    ("runtime", "engine"),
    [
        ("ncnn, powersave=0", "ncnn"),
        ("ncnn 1.0.2025", "ncnn"),
        ("TNN", "tnn"),
        ("Paddle-Lite 2.11, armv8", "paddle-lite"),
    ],
)
def test_an_engine_is_the_first_word_of_a_runtime(runtime: str, engine: str) -> None:
    assert engine_of(runtime) == engine

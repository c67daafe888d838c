"""Devices taken as new: the predicted network is not among the rows, and a new one is known of no device."""

from dataclasses import replace

import pytest

from search_space.latency.calibration.devices_left_out import LeftOutDevices, NewDevicePrediction, leave_devices_out
from search_space.latency.calibration.known_devices import KnownDevice, published_devices

FEW = published_devices()[:4]


def prediction(predicted_ms: float, **fields: object) -> NewDevicePrediction:
    plain = NewDevicePrediction(
        device="a", draw=0, measured_ms=10.0, predicted_ms=predicted_ms, macs=1e9, by_macs_ms=20.0, inside=True
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def test_errors_are_relative_to_the_measured_time() -> None:
    found = LeftOutDevices.of(
        [prediction(11.0), prediction(16.0, measured_ms=20.0, macs=3e9), prediction(30.0, measured_ms=30.0, macs=2e9)]
    )
    assert found.error == pytest.approx((0.1 + 0.2 + 0) / 3)
    assert (found.kendall, found.kendall_macs) == pytest.approx((1, 1 / 3))
    assert found.inside == 1


def test_every_network_of_a_new_device_is_predicted() -> None:
    new = FEW[0]
    found = leave_devices_out(FEW, None, timed=True, new=[new.name])
    assert len(found) == len(new.rows)
    assert {one.device for one in found} == {new.name}


def test_the_device_itself_is_not_known() -> None:
    slow = [replace(row, latency_ms=1000 * row.latency_ms) for row in FEW[0].rows]
    known = [KnownDevice.of("new", "ncnn", slow), *FEW[1:]]
    found = LeftOutDevices.of(leave_devices_out(known, 2, timed=True, new=["new"]))
    plain = LeftOutDevices.of(leave_devices_out([replace(FEW[0], name="new"), *FEW[1:]], 2, timed=True, new=["new"]))
    # Its speed comes from its rows alone, so that a device a thousand times slower is predicted as well.
    assert found.error == pytest.approx(plain.error)


def test_what_is_known_of_a_network_elsewhere_helps() -> None:
    timed, new = (
        LeftOutDevices.of(leave_devices_out(FEW, 2, timed=timed, new=[FEW[1].name])) for timed in (True, False)
    )
    assert timed.error < new.error

"""Leaning on known devices: those that are alike count, what a network is off by elsewhere carries over."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from search_space.latency.calibration.devices import FITTED, device, known_devices, read_rows
from search_space.latency.calibration.fitting import MeasuredNetwork
from search_space.latency.calibration.known_devices import KnownDevice, amounts
from search_space.latency.calibration.lean import NEW_SD, lean, leaned_model, of_engine, predicted_ms, spread_of
from search_space.latency.coefficients import SHAPE, Coefficients
from search_space.latency.devices import folder_of
from topformer.errors import InputError

ROWS = read_rows(folder_of("raspberry-pi-5"), FITTED)
PLAIN = (SHAPE, Coefficients(10, 10, 500, 500, 1))
"""A device whose products are slow, and one whose memory is."""


def made(name: str, coefficients: Coefficients, rows: Sequence[MeasuredNetwork], factor: float = 1.0) -> KnownDevice:
    """A device of exactly these coefficients, on which the first network took `factor` times as long as they say."""
    times = (amounts(rows) @ coefficients.per_unit).tolist()
    times[0] *= factor
    timed = [replace(row, latency_ms=time) for row, time in zip(rows, times, strict=True)]
    return KnownDevice.of(name, "ncnn", timed, coefficients)


def test_what_is_alike_gives_the_coefficients_and_the_rows_the_speed() -> None:
    known = [made(str(number), one, ROWS) for number, one in enumerate(PLAIN)]
    rows = made("new", SHAPE.scaled(0.5), ROWS).rows[1:4]
    leaning = lean(rows, known)
    assert leaning.weights["0"] > 0.99
    assert leaning.coefficients == pytest.approx(SHAPE.scaled(0.5), rel=0.02)


def test_one_row_cannot_tell_which_device_is_alike() -> None:
    known = [made(str(number), one, ROWS) for number, one in enumerate(PLAIN)]
    assert list(lean(ROWS[:1], known).weights.values()) == pytest.approx([0.5, 0.5])
    assert list(lean([], known).weights.values()) == pytest.approx([0.5, 0.5])


def test_a_network_carries_its_error_over() -> None:
    known = [made(str(number), SHAPE, ROWS, factor=1.5) for number in range(4)]
    new = made("new", SHAPE.scaled(3), ROWS, factor=1.5)
    leaning = lean(new.rows[1:3], known)
    # Four devices say 1.5; the common mean, to which a quarter of a device is drawn, has one more that says 1.
    log = np.log(1.5) * (1 + 0.25 * 4 / 5) / 1.25
    assert leaning.errors[ROWS[0].name] == pytest.approx(log)
    assert predicted_ms(new.rows[:1], leaning)[0] == pytest.approx(new.rows[0].latency_ms, rel=0.03)


def test_a_row_is_compared_with_the_time_of_its_network_elsewhere() -> None:
    known = [made(str(number), SHAPE, ROWS, factor=1.5) for number in range(2)]
    new = made("new", SHAPE, ROWS, factor=1.5)
    # Alone, the odd network would say that the device is 1.5 times slower.
    assert lean(new.rows[:1], known).coefficients == pytest.approx(SHAPE)


def test_few_rows_that_agree_do_not_narrow_an_interval_and_those_that_disagree_widen_it() -> None:
    agreeing, disagreeing = spread_of(np.array([0.1, 0.1])), spread_of(np.array([-0.5, 0.5]))
    assert agreeing.left_out == pytest.approx(1.5 * NEW_SD**2)
    assert disagreeing.left_out > 2 * agreeing.left_out


def test_devices_of_the_engine_are_leaned_on_and_all_where_there_are_none() -> None:
    assert {one.engine for one in of_engine(known_devices(), "ncnn 1.0")} == {"ncnn"}
    assert len(of_engine(known_devices(), "onnxruntime 1.23")) == len(known_devices())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_topformers_are_predicted_on_a_phone_that_is_not_known(count: int) -> None:
    # Snapdragon 865 with TNN, from some of its four TopFormers; the known devices are all but this chip.
    rows, phone = read_rows(folder_of("snapdragon-865"), FITTED), device("snapdragon-865")
    known = [one for one in known_devices() if not one.name.startswith("snapdragon-865")]
    errors = []
    for chosen in combinations(rows, count):
        model = leaned_model(chosen, phone.setup, known)
        others = [row for row in rows if row not in chosen]
        table = model.predict(np.array([model.feature_extractor.of_kernels(row.kernels) for row in others]))
        times = np.array([row.latency_ms for row in others])
        assert ((table.low < times) & (times < table.high)).all()
        errors += np.abs(table.milliseconds / times - 1).tolist()
    assert np.mean(errors) < 0.025
    assert max(errors) < 0.05


def test_a_model_says_what_it_leans_on_and_needs_a_row() -> None:
    model = leaned_model(ROWS[:2], device("raspberry-pi-5").setup, known_devices())
    assert sum(share for _, share in model.leaned_on) == pytest.approx(1)
    with pytest.raises(InputError, match="at least one measured network"):
        leaned_model([], device("raspberry-pi-5").setup, known_devices())

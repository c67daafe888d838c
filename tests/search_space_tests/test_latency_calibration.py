"""Fitting: rates that were put in come out, and every published device refits to what its data say."""

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from search_space.candidate import Candidate
from search_space.latency.calibration import FOLDER, Measured, device, devices, fit, measured, read_device
from search_space.latency.kernels import Kernel
from search_space.latency.model import Setup
from topformer import BASE, NANO, SMALL, TINY
from topformer.errors import InputError

SETUP = Setup(
    name="bench", chip="chip", core="core", threads=1, runtime="engine", precision="fp32", protocol="p", source="s"
)


def row(name: str, gigamacs: float, gigabytes: float, latency_ms: float) -> Measured:
    kernel = Kernel("conv 1x1", "", round(gigamacs * 1e9), round(gigabytes * 1e9), 1000)
    return Measured(name=name, latency_ms=latency_ms, kernels=(kernel,))


ROWS = [row("a", 1, 0.1, 60), row("b", 2, 0.4, 140), row("c", 4, 0.2, 220), row("d", 3, 0.3, 180)]
"""Of a device of 50 ms per GMAC and 100 ms per GB, without noise."""


def test_the_rates_that_made_the_times_come_out() -> None:
    model = fit(ROWS, SETUP)
    assert (model.ms_per_gmac, model.ms_per_gb) == pytest.approx((50, 100))
    assert model.left_out_max == pytest.approx(0, abs=1e-9)


def test_a_rate_is_never_negative() -> None:
    # Solved without that bound: 60 ms per GMAC and less than nothing per GB.
    model = fit([row("a", 1, 0.1, 59), row("b", 2, 0.4, 116), row("c", 4, 0.2, 239)], SETUP)
    assert model.ms_per_gb == 0
    assert model.ms_per_gmac == pytest.approx(59, rel=0.02)


def test_relative_errors_weigh_the_same_in_small_and_large_networks() -> None:
    scaled = [
        row(r.name, 100 * r.kernels[0].macs / 1e9, 100 * r.kernels[0].moved / 1e9, 100 * t)
        for r, t in zip(ROWS[:2], (66, 140), strict=True)
    ]
    small = [
        row(r.name, r.kernels[0].macs / 1e9, r.kernels[0].moved / 1e9, t)
        for r, t in zip(ROWS[:2], (66, 140), strict=True)
    ]
    third = ROWS[2]
    first = fit([*small, third], SETUP)
    second = fit([*scaled, third], SETUP)
    assert (first.ms_per_gmac, first.ms_per_gb) == pytest.approx((second.ms_per_gmac, second.ms_per_gb))


def test_an_error_when_left_out_is_that_of_a_fit_without_the_row() -> None:
    rows = [*ROWS[:3], row("slow", 3, 0.3, 200)]
    without = fit(ROWS[:3], SETUP)
    assert fit(rows, SETUP).rows[3].left_out_ms == pytest.approx(3 * without.ms_per_gmac + 0.3 * without.ms_per_gb)
    assert fit(rows, SETUP).rows[3].error == pytest.approx(180 / 200 - 1)


def test_other_networks_widen_what_was_never_measured_and_leave_the_rates() -> None:
    strange = Measured(name="e", latency_ms=200, kernels=(Kernel("gelu", "", 0, 10**9, 1),))
    plain, checked = fit(ROWS, SETUP), fit(ROWS, SETUP, [strange])
    assert (plain.ms_per_gmac, plain.ms_per_gb) == (checked.ms_per_gmac, checked.ms_per_gb)
    assert checked.others[0].coverage == pytest.approx(0)
    assert checked.spread.unmeasured == pytest.approx(np.log(200 / 100) ** 2)


def test_two_rows_are_too_few() -> None:
    with pytest.raises(InputError, match="at least 3 measured networks, got 2"):
        fit(ROWS[:2], SETUP)


def test_rows_of_one_proportion_cannot_tell_the_rates_apart() -> None:
    with pytest.raises(InputError, match="all in one proportion"):
        fit([row(str(scale), scale, 0.1 * scale, 60 * scale) for scale in (1, 2, 3, 4)], SETUP)


@pytest.mark.parametrize("latency", [0.0, -1.0, float("nan"), float("inf")])
def test_a_latency_that_is_none_is_refused(latency: float) -> None:
    with pytest.raises(InputError, match="latency_ms of 'x' must be a finite number above 0"):
        measured(Candidate(design=TINY, height=64, width=64), latency, name="x")


def test_a_users_own_measurements_make_a_device() -> None:
    sizes = [(TINY, 256), (SMALL, 256), (BASE, 256), (NANO, 128)]
    candidates = [Candidate(design=design, height=side, width=side) for design, side in sizes]
    twice = [2 * estimate for estimate in device("snapdragon-865").estimate_many(candidates).milliseconds]
    model = fit([measured(c, ms) for c, ms in zip(candidates, twice, strict=True)], SETUP)
    assert model.ms_per_gmac == pytest.approx(2 * device("snapdragon-865").ms_per_gmac)
    assert model.rows[0].name == candidates[0].fingerprint


def test_the_devices_are_listed_and_a_misspelt_one_gets_the_nearest() -> None:
    assert "snapdragon-865" in devices()
    with pytest.raises(InputError, match="unknown device 'snapdragon865'; did you mean 'snapdragon-865'"):
        device("snapdragon865")


@pytest.mark.parametrize("name", devices())
def test_every_device_states_how_it_was_measured(name: str) -> None:
    setup = device(name).setup
    assert all((setup.chip, setup.core, setup.threads, setup.runtime, setup.precision, setup.protocol, setup.source))


def test_a_device_is_read_from_any_folder(tmp_path: Path) -> None:
    copytree(FOLDER / "snapdragon-865", tmp_path / "mine")
    copy, original = read_device(tmp_path / "mine"), device("snapdragon-865")
    assert copy.name == "mine"
    assert (copy.ms_per_gmac, copy.ms_per_gb, copy.rows) == (original.ms_per_gmac, original.ms_per_gb, original.rows)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("device.toml", "threads = 1", "thread = 1", r"cannot read the device file .*device\.toml"),
        ("device.toml", "threads = 1", "threads =", r"cannot read the device file .*device\.toml"),
        ("measured.csv", "role", "rule", r"measured\.csv must have the columns network, design"),
        ("measured.csv", "512,512,74,", "512,512,fast,", "latency_ms of 'TopFormer-S' must be a number, got 'fast'"),
        ("measured.csv", "SegFormer MiT-B0", "SegFormer", "kernels of 'SegFormer' must hold at least one kernel"),
        ("kernels.csv", "largest", "biggest", r"kernels\.csv must have the columns"),
    ],
)
def test_a_broken_device_file_is_named(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    folder = copytree(FOLDER / "snapdragon-865", tmp_path / "broken")
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_device(folder)


def test_a_missing_device_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the device file .*measured\.csv"):
        read_device(tmp_path)

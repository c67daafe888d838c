"""Fitting: coefficients that were put in come out, and every published device refits to what its data say."""

import json
from dataclasses import astuple, replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from search_space.candidate import Candidate
from search_space.latency.calibration.devices import device, read_device, refit
from search_space.latency.calibration.fitting import MeasuredNetwork, fit, measured_candidate
from search_space.latency.coefficients import SHAPE, Coefficients
from search_space.latency.devices import FOLDER, devices
from search_space.latency.kernels import Kernel
from search_space.latency.model import Setup
from topformer import BASE, NANO, SMALL, TINY
from topformer.errors import InputError

SETUP = Setup(
    name="bench", chip="chip", core="core", threads=1, runtime="engine", precision="fp32", protocol="p", source="s"
)


def row(
    name: str, latency_ms: float, *, dense: float = 1.0, wide: float = 0.1, plain: float = 0.1, starts: int = 9
) -> MeasuredNetwork:
    """A network of so many GMACs that move `wide` GB, of `plain` GB beside them, and of so many kernels."""
    conv = Kernel("conv 1x1", "", round(dense * 1e9), round(wide * 1e9), 1000)
    add = Kernel("add", "", 0, round(plain * 1e9), 1000, number=starts - 1)
    return MeasuredNetwork(name=name, latency_ms=latency_ms, kernels=(conv, add))


def timed(name: str, dense: float, wide: float, plain: float, starts: int) -> MeasuredNetwork:
    """On a device of 50 ms per GMAC, 100 and 30 ms per GB, and 10 us per kernel, without noise."""
    time = 50 * dense + 100 * wide + 30 * plain + 0.01 * starts
    return row(name, time, dense=dense, wide=wide, plain=plain, starts=starts)


ROWS = [
    timed("a", 1, 0.1, 0.1, 100),
    timed("b", 2, 0.4, 0.2, 50),
    timed("c", 4, 0.2, 0.5, 300),
    timed("d", 3, 0.3, 0.1, 900),
    timed("e", 1, 0.5, 0.3, 20),
]


def test_the_rates_that_made_the_times_come_out() -> None:
    model = fit(ROWS, SETUP, shape=None)
    assert model.coefficients == pytest.approx((50, 50, 100, 30, 10))
    assert model.left_out_max == pytest.approx(0, abs=1e-9)


def test_a_shape_that_is_true_leaves_only_the_speed_to_find() -> None:
    model = fit(ROWS[:3], SETUP, shape=Coefficients(5, 5, 10, 3, 1))
    assert model.coefficients == pytest.approx((50, 50, 100, 30, 10))
    assert model.left_out_max == pytest.approx(0, abs=1e-9)


def test_many_rows_outweigh_a_wrong_shape() -> None:
    wrong = Coefficients(50, 50, 50, 50, 10)
    few, many = (fit(ROWS * repeats, SETUP, shape=wrong).coefficients for repeats in (1, 1000))
    assert abs(many.ms_per_gb / 100 - 1) < abs(few.ms_per_gb / 100 - 1)
    assert many.ms_per_gb == pytest.approx(100, rel=0.02)


def test_a_rate_is_never_negative() -> None:
    slower_with_less = [row("a", 59), row("b", 116, dense=2, wide=0.4), row("c", 239, dense=4, wide=0.2)]
    assert min(fit(slower_with_less, SETUP).coefficients) >= 0


def test_relative_errors_weigh_the_same_in_small_and_large_networks() -> None:
    small = [row("a", 66, wide=0.2), row("b", 140, dense=2, wide=0.4)]
    large = [row("a", 6600, dense=100, wide=20, plain=10, starts=900), row("b", 14000, dense=200, wide=40, plain=10)]
    same = [row("a", 66, dense=1, wide=0.2, plain=0.1, starts=9), small[1]]
    assert fit([*small, ROWS[2]], SETUP).coefficients == fit([*same, ROWS[2]], SETUP).coefficients
    ratio = [fit([*pair, ROWS[2]], SETUP).rows[0].predicted_ms / pair[0].latency_ms for pair in (small, large)]
    assert ratio[0] == pytest.approx(ratio[1], rel=0.05)


def test_an_error_when_left_out_is_that_of_a_fit_without_the_row() -> None:
    slow = row("slow", 200, dense=3, wide=0.3)
    without = fit(ROWS[:3], SETUP)
    checked = fit([*ROWS[:3], slow], SETUP).rows[3]
    assert checked.left_out_ms == pytest.approx(without.times(slow.kernels).sum())
    assert checked.error == pytest.approx(checked.left_out_ms / 200 - 1)


def test_an_error_by_family_is_that_of_a_fit_without_the_family() -> None:
    families = [replace(row, family=family) for row, family in zip(ROWS, ("x", "x", "y", "y", "z"), strict=True)]
    without = fit(families[2:], SETUP)
    checked = fit(families, SETUP).rows[0]
    assert checked.family_out_ms == pytest.approx(without.times(families[0].kernels).sum())
    assert checked.family_out_ms != pytest.approx(checked.left_out_ms)


def test_of_two_families_none_can_be_spared() -> None:
    families = [replace(row, family=family) for row, family in zip(ROWS, ("x", "x", "x", "y", "y"), strict=True)]
    assert {row.family_out_ms for row in fit(families, SETUP).rows} == {None}


def test_a_network_beside_the_rows_counts_little_and_widens_what_was_never_measured() -> None:
    strange = MeasuredNetwork(name="f", latency_ms=200, kernels=(Kernel("gelu", "", 0, 10**9, 1),))
    plain, beside = fit(ROWS, SETUP), fit(ROWS, SETUP, [strange])
    fitted = fit([*ROWS, strange], SETUP)
    moved = [
        abs(model.coefficients.ms_per_gb_carried / plain.coefficients.ms_per_gb_carried - 1)
        for model in (beside, fitted)
    ]
    assert 0 < moved[0] < 0.4 * moved[1]
    assert beside.others[0].coverage == pytest.approx(0)
    assert beside.spread.unmeasured == pytest.approx(np.log(200 / beside.others[0].left_out_ms) ** 2)


def test_two_rows_are_too_few() -> None:
    with pytest.raises(InputError, match="at least 3 measured networks, got 2"):
        fit(ROWS[:2], SETUP)


def test_rows_of_one_proportion_cannot_tell_the_rates_apart() -> None:
    rows = [
        row(str(scale), 60 * scale, dense=scale, wide=0.1 * scale, plain=0.1 * scale, starts=9 * scale)
        for scale in (1, 2, 3, 4, 5)
    ]
    with pytest.raises(InputError, match="5 measured networks do not determine the 4 coefficients without a shape"):
        fit(rows, SETUP, shape=None)
    assert fit(rows, SETUP).left_out_max < 0.01


@pytest.mark.parametrize("latency", [0.0, -1.0, float("nan"), float("inf")])
def test_a_latency_that_is_none_is_refused(latency: float) -> None:
    with pytest.raises(InputError, match="latency_ms of 'x' must be a finite number above 0"):
        measured_candidate(Candidate(design=TINY, height=64, width=64), latency, name="x")


def test_a_users_own_measurements_make_a_device() -> None:
    sizes = [(TINY, 256), (SMALL, 256), (BASE, 256), (NANO, 128)]
    candidates = [Candidate(design=design, height=side, width=side) for design, side in sizes]
    twice = [2 * estimate for estimate in device("snapdragon-865").estimate_many(candidates).milliseconds]
    model = fit([measured_candidate(c, ms) for c, ms in zip(candidates, twice, strict=True)], SETUP)
    assert [row.predicted_ms for row in model.rows] == pytest.approx(twice, rel=0.01)
    assert model.rows[0].name == candidates[0].fingerprint


def test_the_shape_is_that_of_the_device_it_names() -> None:
    assert device("snapdragon-855").coefficients == pytest.approx(SHAPE, rel=1e-3)
    assert len(device("snapdragon-855").rows) == 41
    assert len({row.family for row in device("snapdragon-855").rows}) == 7


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
    assert (copy.coefficients, copy.rows) == (original.coefficients, original.rows)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "device.toml",
            "threads = 1",
            "thread = 1",
            r"device\.toml: unknown key of a device 'thread'; did you",
        ),
        ("device.toml", "threads = 1", "threads = 'one'", "threads must be an integer of at least 1, got 'one'"),
        ("device.toml", "threads = 1\n", "", r"device\.toml: threads is missing"),
        ("device.toml", 'boundary = "logits"', 'boundary = "logit"', "unknown boundary 'logit'; did you mean 'logits'"),
        ("measured.csv", "TopFormer-S,small", "TopFormer-B,base", "lines 4 and 5 time the same network, 'TopFormer-B'"),
        ("measured.csv", "512,512,74,", "512,512,-74,", "latency_ms of 'TopFormer-S' must be a finite number above 0"),
        ("measured.csv", "512,512,74,fitted,", "512,512,74,", "line 4: there must be 8 values"),
        ("device.toml", "threads = 1", "threads =", r"device\.toml is not TOML"),
        ("measured.csv", "family", "families", r"measured\.csv must have the columns network, design"),
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
    with pytest.raises(InputError, match=r"is no folder of a device: it has no device\.toml"):
        read_device(tmp_path)


@pytest.mark.parametrize("name", devices())
def test_shipped_coefficients_are_those_of_a_fresh_fit(name: str) -> None:
    fresh, values = refit(FOLDER / name)
    stored = json.loads((FOLDER / name / "coefficients.json").read_text())
    assert stored["rows_sha256"] == values["rows_sha256"]
    loaded = device(name)
    assert loaded.coefficients == pytest.approx(fresh.coefficients, rel=1e-9)
    assert astuple(loaded.spread) == pytest.approx(astuple(fresh.spread), rel=1e-9)
    assert (loaded.measured, loaded.setup) == (fresh.measured, fresh.setup)
    assert [row.left_out_ms for row in (*loaded.rows, *loaded.others)] == pytest.approx(
        [row.left_out_ms for row in (*fresh.rows, *fresh.others)], rel=1e-9
    )


def test_coefficients_are_used_and_not_fitted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copytree(FOLDER / "snapdragon-865", tmp_path / "mine")
    monkeypatch.delattr("search_space.latency.calibration.devices.fit")
    assert read_device(folder).coefficients == device("snapdragon-865").coefficients


def test_a_file_of_schema_1_is_read_as_the_same_device(tmp_path: Path) -> None:
    folder = copytree(FOLDER / "snapdragon-865", tmp_path / "mine")
    text = (folder / "coefficients.json").read_text()
    for now, before in {'"schema": 3': '"schema": 1', "coefficients": "rates", "extrapolation": "reach"}.items():
        assert text.count(now) == 1
        text = text.replace(now, before)
    (folder / "coefficients.json").write_text(text)
    model = read_device(folder)
    assert (model.coefficients, model.spread) == (
        device("snapdragon-865").coefficients,
        device("snapdragon-865").spread,
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("measured.csv", "512,512,74,", "512,512,75,", "was made from other rows than those beside it"),
        ("kernels.csv", "SegFormer MiT-B0,gelu,8,", "SegFormer MiT-B0,gelu,9,", "was made from other rows"),
        ("coefficients.json", '"coefficients"', '"coefficient"', "cannot read the coefficients .*KeyError"),
        ("coefficients.json", "{", "", "cannot read the coefficients"),
        ("coefficients.json", '"schema": 3', '"schema": 4', "schema must be 1, 2 or 3, got 4"),
        ("coefficients.json", '"ms_per_gb": 58.85', '"ms_per_gb": -58.85', "ms_per_gb must be a finite number of"),
        ("coefficients.json", '"ms_per_gb": ', '"ms_per_gb": NaN, "x": ', "holds NaN, which is no JSON number"),
        ("coefficients.json", '"left_out": ', '"left_out": "", "x": ', "spread.left_out must be a finite number"),
        ("coefficients.json", '"rows": ', '"rows": [], "x": ', "rows must hold the measured networks, got none"),
        ("coefficients.json", '"ranges": ', '"ranges": [], "x": ', "ranges must be a list of 3 pairs"),
    ],
)
def test_coefficients_that_do_not_belong_to_the_rows_are_refused_with_the_way_out(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    folder = copytree(FOLDER / "snapdragon-865", tmp_path / "mine")
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=f"{message}.*topformer calibrate --refit"):
        read_device(folder)


def test_one_wrong_time_moves_a_robust_fit_little() -> None:
    rows = [timed(str(n), 1 + n % 4, 0.1 * (1 + n % 3), 0.1 * (1 + n % 5), 20 * (1 + n % 7)) for n in range(12)]
    wrong = [*rows[:-1], replace(rows[-1], latency_ms=2 * rows[-1].latency_ms)]
    assert fit(wrong, SETUP, shape=None).coefficients == pytest.approx(
        fit(rows, SETUP, shape=None).coefficients, rel=0.05
    )

"""Calibration: rates that made the rows are found again, and the folder predicts what the model predicts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.measure.calibration import Method, calibrate
from experiments.measure.device_folder import write_device
from experiments.measure.rows import MeasuredRow, append_row
from search_space.latency.calibration.devices import device
from search_space.latency.coefficients import SHAPE
from tests.experiments_tests.measure.examples import NETWORKS, command, predicted_ms, row, time_ms
from topformer.errors import InputError
from topformer.presets import BASE, NANO, SMALL, TINY

PRIOR = "snapdragon-865"


def rows_of(slowness: float) -> list[MeasuredRow]:
    """Rows of a device with exactly the rates of `SHAPE` times `slowness`."""
    return [row(design, size, time_ms(design, size, slowness=slowness)) for design, size in NETWORKS]


def test_rates_are_found_from_rows_that_they_made() -> None:
    found = calibrate("board", rows_of(0.3), prior=PRIOR)
    assert found.method is Method.FIT
    assert found.model.coefficients == pytest.approx(SHAPE.scaled(0.3))
    assert found.model.left_out_max < 1e-6


def test_one_row_scales_the_prior() -> None:
    prior = device(PRIOR)
    found = calibrate("board", [row(BASE, 512, predicted_ms(prior, BASE, 512) / 4)], prior=PRIOR)
    assert found.method is Method.SCALE
    assert found.model.ms_per_gmac == pytest.approx(prior.ms_per_gmac / 4)
    assert predicted_ms(found.model, TINY, 256) == pytest.approx(predicted_ms(prior, TINY, 256) / 4)


def test_few_rows_lean_on_known_devices_where_no_prior_is_named(tmp_path: Path) -> None:
    found = calibrate("board", rows_of(0.3)[:2])
    assert found.method is Method.LEAN
    assert len(found.model.leaned_on) > 40
    text = found.render()
    assert text.startswith("board: lean from 2 rows, leans on ")
    assert "shown beside prior snapdragon-865" in text
    read = device(str(write_device(found, tmp_path)))
    assert (read.coefficients, read.leaned_on) == (found.model.coefficients, found.model.leaned_on)
    (tmp_path / "board" / "coefficients.json").unlink()
    assert device(str(tmp_path / "board")).coefficients == pytest.approx(found.model.coefficients)


def test_leaning_uses_all_known_devices() -> None:
    with pytest.raises(InputError, match="no prior, got 'snapdragon-865'"):
        calibrate("board", rows_of(0.3), prior=PRIOR, method=Method.LEAN)


def test_two_rows_that_disagree_are_met_in_the_middle() -> None:
    prior = device(PRIOR)
    rows = [row(d, 512, predicted_ms(prior, d, 512) * factor) for d, factor in ((TINY, 2.0), (BASE, 8.0))]
    model = calibrate("board", rows, prior=PRIOR).model
    assert model.ms_per_gb == pytest.approx(4 * prior.ms_per_gb)  # the geometric mean of 2 and 8
    assert [check.error for check in model.rows] == pytest.approx([3.0, -0.75])  # each by the factor of the other


def test_an_interval_is_wider_where_less_is_known() -> None:
    prior = device(PRIOR)

    def width(factors: list[float]) -> float:
        designs = [TINY, BASE][: len(factors)]
        timed = zip(designs, factors, strict=True)
        rows = [row(d, 512, predicted_ms(prior, d, 512) * factor) for d, factor in timed]
        from search_space.candidate import Candidate

        return (
            calibrate("board", rows, prior=PRIOR).model.estimate(Candidate(design=SMALL, height=512, width=512)).sd_log
        )

    assert width([1.0, 1.5]) > width([1.0]) > width([1.0, 1.0]) > 0.07


def test_the_errors_before_and_after_are_shown() -> None:
    text = calibrate("board", rows_of(0.3), prior=PRIOR).render()
    lines = text.splitlines()
    assert lines[0] == "board: fit from 4 rows, prior snapdragon-865"
    assert lines[2].split() == ["network", "measured", "steady", "prior", "scaled", "fitted"]
    assert [line.split()[0] for line in lines[3:7]] == ["nano", "tiny", "small", "base"]
    assert [line.split()[-1].lstrip("+-") for line in lines[3:7]] == ["0.0%"] * 4


def test_rows_with_argmax_give_the_cost_of_the_last_step() -> None:
    rows = rows_of(0.3)
    numbers = 150 * 512 * 512
    slow = row(TINY, 512, time_ms(TINY, 512, slowness=0.3) + 5e-6 * numbers, boundary="argmax")
    assert calibrate("board", [*rows, slow], prior=PRIOR).model.setup.argmax_ns == pytest.approx(5.0)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_written_device_predicts_as_its_model(tmp_path: Path, count: int) -> None:
    found = calibrate("board", rows_of(0.3)[:count], prior=PRIOR)
    read = device(str(write_device(found, tmp_path)))
    assert read.setup == found.model.setup
    assert predicted_ms(read, SMALL, 320) == pytest.approx(predicted_ms(found.model, SMALL, 320))
    assert read.spread == found.model.spread


def test_a_written_device_keeps_how_much_each_row_counts(tmp_path: Path) -> None:
    rows = rows_of(0.3)
    slow = replace(rows[1], median_ms=1.5 * rows[1].median_ms, p90_ms=3 * rows[1].median_ms, ratio=1.5 * rows[1].ratio)
    found = calibrate("board", [rows[0], replace(slow, stable=False), *rows[2:]], prior=PRIOR)
    folder = write_device(found, tmp_path)
    assert device(str(folder)).coefficients == pytest.approx(found.model.coefficients)
    (folder / "coefficients.json").unlink()  # so that the rows are fitted anew
    assert device(str(folder)).coefficients == pytest.approx(found.model.coefficients)


@pytest.mark.parametrize(("count", "method"), [(1, "scale"), (3, "scale"), (4, "fit")])
def test_a_fit_needs_four_rows_unless_it_is_asked_for(count: int, method: str) -> None:
    rows = rows_of(0.3)[:count]
    assert calibrate("board", rows, prior=PRIOR).method == method


def test_from_rows_to_a_prediction_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for one in rows_of(0.3):
        append_row(tmp_path / "rows.csv", one)
    command("calibrate", tmp_path / "rows.csv", "--device", "board", "--out", tmp_path)
    capsys.readouterr()
    command("latency", "tiny", "--device", tmp_path / "board", "--size", "512", "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["device"] == "board"
    assert said["milliseconds"] == pytest.approx(time_ms(TINY, 512, slowness=0.3), rel=1e-4)


def test_a_machine_that_was_slow_for_a_while_is_seen_in_its_reference() -> None:
    plain = rows_of(0.3)
    slow = replace(plain[2], median_ms=3 * plain[2].median_ms, reference_ms=3 * plain[2].reference_ms)
    found = calibrate("board", [*plain[:2], slow, plain[3]], prior=PRIOR)
    assert list(found.model.coefficients) == pytest.approx(
        list(SHAPE.scaled(0.3))
    )  # for its ratio to the reference is what it was


def test_unstable_rows_are_counted_in_a_note() -> None:
    found = calibrate("board", [row(stable=False), row(NANO, 64, 1.0)], prior=PRIOR)
    assert "1 of 2 rows were not stable" in found.render()


def test_a_device_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    found = calibrate("board", [row()], prior=PRIOR)
    write_device(found, tmp_path)
    with pytest.raises(InputError, match=r"there is a device in .*board already"):
        write_device(found, tmp_path)
    write_device(found, tmp_path, overwrite=True)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(), row(NANO, 64), row()], "rows 1 and 3 measure the same network"),
        ([row(), row(NANO, 64, core="cpu0")], "same core, got 'cpu0', 'cpu3"),
        ([row(), row(NANO, 64, precision="fp16")], "same precision, got 'fp16', 'fp32'"),
        ([row(boundary="upsample")], "needs a row with boundary logits"),
    ],
)
def test_rows_that_do_not_belong_together_are_refused(rows: list[MeasuredRow], said: str) -> None:
    with pytest.raises(InputError, match=said):
        calibrate("board", rows, prior=PRIOR)


def test_a_fit_counts_networks_and_not_boundaries() -> None:
    doubled = [row(TINY, 512, 20.0), row(TINY, 512, 21.0, boundary="argmax")]
    with pytest.raises(InputError, match="at least 3 measured networks, got 1"):
        calibrate("board", doubled, prior=PRIOR, method=Method.FIT)


def test_an_unknown_prior_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown device 'snapdragon-866'; did you mean 'snapdragon-865'"):
        calibrate("board", [row()], prior="snapdragon-866")


def test_rows_in_another_unit_are_seen_by_their_reference() -> None:
    seconds = row(NANO, 512, 0.01, reference_ms=0.02, ratio=0.5)
    with pytest.raises(InputError, match=r"got 20 and 0\.02; all times must be in milliseconds"):
        calibrate("board", [row(), seconds], prior=PRIOR)


def test_a_time_that_no_core_reaches_is_taken_for_another_unit() -> None:
    with pytest.raises(InputError, match=r"must be in milliseconds, got 0\.043: 0\.534 GMACs would be 12\.4 TMACs"):
        calibrate("board", [row(median_ms=0.043, reference_ms=0.043, ratio=1.0)], prior=PRIOR)


@pytest.mark.parametrize("name", ["", "../x", "Pi 5"])
def test_a_device_needs_a_plain_name(name: str) -> None:
    with pytest.raises(InputError, match="device must be a name"):
        calibrate(name, [row()], prior=PRIOR)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("device.toml", "prior = 'none'\n", "Setup|missing"),
        ("device.toml", "chip = [", "is not TOML"),
        ("measured.csv", "network,design\n", "must have the columns"),
    ],
)
def test_a_broken_device_folder_is_named(tmp_path: Path, file: str, text: str, said: str) -> None:
    folder = write_device(calibrate("board", [row()], prior=PRIOR), tmp_path)
    (folder / file).write_text(text)
    with pytest.raises(InputError, match=said):
        device(str(folder))

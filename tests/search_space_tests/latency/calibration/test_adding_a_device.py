"""A device is one folder of data: it is named, fitted, stored, reported and predicted by without another change."""

import json
from pathlib import Path

import pytest

from search_space.candidate import Candidate
from search_space.latency.calibration.devices import device, refit
from search_space.latency.calibration.left_out import device_report
from search_space.latency.devices import devices
from topformer.errors import InputError
from topformer.presets import NANO, PRESETS

TIMES = {("tiny", 448): 64.0, ("tiny", 512): 86.0, ("small", 512): 148.0, ("base", 512): 220.0}
"""Twice those of the paper's Table 1."""


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a device, as CONTRIBUTING says what stands in it, among those that ship."""
    folder = tmp_path / "board-of-a-test"
    folder.mkdir()
    texts = ("chip", "core", "runtime", "precision", "protocol", "source")
    (folder / "device.toml").write_text("threads = 1\n" + "".join(f'{name} = "a {name}"\n' for name in texts))
    rows = [f"{name} {side},{name},{side},{side},{ms},fitted,a stopwatch" for (name, side), ms in TIMES.items()]
    (folder / "measured.csv").write_text("\n".join(["network,design,height,width,latency_ms,role,source", *rows, ""]))
    monkeypatch.setattr("search_space.latency.devices.FOLDER", tmp_path)
    return folder


def test_it_is_listed_and_offered(board: Path) -> None:
    assert devices() == (board.name,)
    with pytest.raises(InputError, match=f"did you mean '{board.name}'"):
        device("board-of-a-tset")


def test_its_fit_is_stored_beside_its_rows_and_read_back(board: Path) -> None:
    fitted, content = refit(board)
    (board / "coefficients.json").write_text(json.dumps(content))
    assert device(board.name) == fitted
    assert fitted.setup.source == "a source"
    assert [row.name for row in fitted.rows] == [f"{name} {side}" for name, side in TIMES]


def test_it_predicts_what_was_measured_and_reports_its_errors(board: Path) -> None:
    model, report = device(board.name), device_report(board.name)
    for (name, side), ms in TIMES.items():
        estimate = model.estimate(Candidate(design=PRESETS[name], height=side, width=side))
        assert estimate.milliseconds == pytest.approx(ms, rel=0.1)
        assert estimate.low < ms < estimate.high
    assert report.row_out.mean == pytest.approx(model.left_out_mean)
    assert report.inside == 1


def test_it_says_what_it_never_measured(board: Path) -> None:
    small = Candidate(design=NANO, height=64, width=64)
    assert any(note.startswith("extrapolated") for note in device(board.name).estimate(small).notes)

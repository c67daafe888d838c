"""Records as rows."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import analysis
from analysis.records.frame import FIXED, columns, row, to_frame
from analysis.records.record import Metric, State
from tests.analysis_tests.examples import LATENCY, MIOU, record, run_folder
from topformer.errors import InputError, StudyError


def test_a_row_has_a_column_per_label_and_number() -> None:
    one = record(
        7,
        labels={"width": "128"},
        metrics={LATENCY: Metric(value=4.0, source="predicted", low=3.5, high=4.7)},
    )
    cells = row(one)
    assert cells["trial"] == 7
    assert cells["state"] == "complete"
    assert cells["axis:width"] == "128"
    assert [cells[LATENCY + part] for part in ("", ":low", ":high", ":source")] == [4.0, 3.5, 4.7, "predicted"]


def test_a_row_has_the_parts_of_an_error_where_there_are_any() -> None:
    whole = Metric(value=4.0, source="predicted", low=3.5, high=4.7, shared_sd=0.05, own_sd=0.02)
    cells = row(record(metrics={LATENCY: whole, MIOU: Metric(value=50.0, source="trained")}))
    assert (cells[f"{LATENCY}:shared_sd"], cells[f"{LATENCY}:own_sd"]) == (0.05, 0.02)
    assert f"{MIOU}:own_sd" not in cells


def test_columns_come_in_a_fixed_order() -> None:
    rows = [row(record(0, labels={"depth": "2"}, metrics={})), row(record(1))]
    names = columns(rows)
    assert names[: len(FIXED) + 2] == [*FIXED, "axis:depth", "axis:width"]


def test_a_frame_has_one_row_per_record_and_nan_where_nothing_is_known() -> None:
    frame = to_frame([record(0, 50.0), record(1, None, reason="too slow")])
    assert frame["trial"].tolist() == [0, 1]
    assert frame["state"].tolist() == ["complete", "pruned"]
    assert frame[MIOU].isna().tolist() == [False, True]
    assert frame[f"{LATENCY}:low"].dtype == "float64"


def test_no_record_gives_no_row_but_the_fixed_columns() -> None:
    frame = to_frame([])
    assert len(frame) == 0
    assert list(frame.columns) == list(FIXED)


def test_states_can_be_grouped() -> None:
    frame = to_frame([record(0), record(1, None), record(2, state=State.FAILED)])
    assert frame.groupby("state").size().to_dict() == {"complete": 1, "failed": 1, "pruned": 1}
    assert isinstance(frame, pd.DataFrame)


def test_the_module_itself_needs_no_pandas() -> None:
    code = "import sys, analysis.records.frame; print('pandas' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_runs_are_loaded_as_one_table(tmp_path: Path) -> None:
    ended = record(0, finished="2026-11-28T10:00:00+01:00", labels={"depth": "2"})
    one = run_folder(tmp_path / "one", [ended, record(1, None, reason="too slow")])
    two = run_folder(tmp_path / "two", [record(0, 70.0, labels={"width": "96"})])
    frame = analysis.load(one, str(two))
    assert list(frame.columns[: len(FIXED) + 3]) == ["run", *FIXED, "axis:depth", "axis:width"]
    assert frame["run"].tolist() == ["one", "one", "two"]
    assert frame[MIOU].tolist()[::2] == [50.0, 70.0]
    assert frame["height_px"].tolist() == [128] * 3
    assert frame["budget_iterations"].tolist() == [1200] * 3
    assert frame["finished"].iloc[0] == pd.Timestamp("2026-11-28 09:00", tz="UTC")
    assert frame["finished"].isna().tolist() == [False, True, True]


def test_a_run_without_records_yet_has_the_columns(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").touch()
    frame = analysis.load(tmp_path)
    assert (len(frame), list(frame.columns)) == (0, ["run", *FIXED])


def test_runs_that_cannot_be_loaded_are_refused(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", [record()])
    with pytest.raises(StudyError, match="there is no run 'nowhere'"):
        analysis.load("nowhere")
    with pytest.raises(StudyError, match="runs must be different folders"):
        analysis.load(folder, folder)
    with pytest.raises(InputError, match="at least one run folder"):
        analysis.load()

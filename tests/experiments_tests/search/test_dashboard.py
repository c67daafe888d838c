"""Optuna's dashboard over the records of a run."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from analysis.records.record import JsonlStore
from experiments.search.dashboard import Dashboard, server
from tests.analysis_tests.examples import LATENCY, MIOU, run_folder, with_own_design
from tests.analysis_tests.reports.pages.run.runs import some, trial
from topformer.errors import InputError, StorageError

pytest.importorskip("optuna_dashboard")


def dashboard(folder: Path, files: Path) -> Dashboard:
    files.mkdir()
    return Dashboard(folder, files, name="nano")


def test_every_record_is_a_trial_with_its_names_times_and_note(tmp_path: Path) -> None:
    app = dashboard(run_folder(tmp_path / "run", some()), tmp_path / "files")
    assert app.study.metric_names == [MIOU, LATENCY]
    trials = app.study.trials
    assert [one.user_attrs["trial"] for one in trials] == list(range(14))
    first = trials[0]
    assert first.params == {"width": "64", "head": "sum"}
    assert first.duration == timedelta(seconds=60)


def test_evaluated_designs_have_drawings(tmp_path: Path) -> None:
    app = dashboard(run_folder(tmp_path / "run", some()), tmp_path / "files")
    drawn = [one for one in app.study.trials if any(key.startswith("artifacts:") for key in one.system_attrs)]
    assert len(drawn) == 12
    assert {path.read_text()[:4] for path in (tmp_path / "files").iterdir()} == {"<svg"}


def test_new_records_are_taken_up(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", [])
    app = dashboard(folder, tmp_path / "files")
    assert len(app.study.trials) == 0
    JsonlStore(folder / "records.jsonl").append(with_own_design(trial(0, 50.0, 3.0, 64)))
    assert app.refresh() == 1
    assert app.refresh() == 0
    JsonlStore(folder / "records.jsonl").append(with_own_design(trial(1, None, 3.0, 64)))
    assert app.refresh() == 1
    assert [one.state.name for one in app.study.trials] == ["COMPLETE", "PRUNED"]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    app = dashboard(run_folder(tmp_path / "run", some()), tmp_path / "files")
    with server(app, "127.0.0.1", 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def test_the_server_answers_with_trials_names_and_our_plot(address: str) -> None:
    assert b"<title>" in get(f"{address}/dashboard/")
    (study,) = json.loads(get(f"{address}/api/studies"))["study_summaries"]
    assert study["study_name"] == "nano"
    found = json.loads(get(f"{address}/api/studies/{study['study_id']}?after=0"))
    assert len(found["trials"]) == 14
    notes = {one["number"]: one["note"]["body"] for one in found["trials"]}
    assert "topformer export nano:" in notes[0]
    assert "the loss is not finite" in notes[13]
    assert "Pareto front" in json.dumps(found["plotly_graph_objects"])
    assert f'"{MIOU}", "{LATENCY}"' in json.dumps(found)


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    app = dashboard(run_folder(tmp_path / "run", some()), tmp_path / "files")
    with (
        server(app, "127.0.0.1", 0) as serving,
        pytest.raises(StorageError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*; --port takes another"),
    ):
        server(app, "127.0.0.1", serving.server_port)


def test_without_the_package_one_line_says_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.search.dashboard.missing", lambda name: ["optuna-dashboard"])
    with pytest.raises(InputError, match=r"needs optuna-dashboard, not installed: python -m pip install optuna-dash"):
        dashboard(run_folder(tmp_path / "run", some()), tmp_path / "files")

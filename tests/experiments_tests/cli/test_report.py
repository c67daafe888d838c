"""`topformer report` and `topformer dashboard` as a user calls them: every kind of run, and every kind of mistake."""

import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.records.record import JsonlStore, Metric
from experiments.cli import main
from experiments.files import held
from tests import ROOT
from tests.analysis_tests.examples import FIDELITY, LATENCY, record, run_folder, with_own_design
from tests.analysis_tests.reports.pages.run.runs import HOSTILE, some, trial

pytest.importorskip("plotly")

OLD = ROOT / "tests" / "experiments_tests" / "search" / "version_0_1"


def written(folder: Path, *args: str) -> str:
    """The page of a run."""
    assert main(["report", str(folder), *args]) == 0
    return (folder / "report.html").read_text()


def refused(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str]:
    """Status and line of a command that does not do what it is told."""
    status = main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("topformer: ")
    assert err.count("\n") == 1
    return status, err


def test_a_run_without_records_has_a_page(tmp_path: Path) -> None:
    assert "No trial has ended yet." in written(run_folder(tmp_path / "run", []))


def test_a_page_of_a_run_that_goes_on_is_loaded_again(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", some())
    with held(folder, "sweep"):
        assert 'http-equiv="refresh"' in written(folder)
    (folder / ".lock").write_text("0")
    assert 'http-equiv="refresh"' not in written(folder)


def test_watching_ends_with_the_run(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", [with_own_design(trial(0, 50.0, 3.0, 64))])
    program = f"from experiments.cli import main; main(['report', {str(folder)!r}, '--watch', '--every', '0.2'])"
    with held(folder, "sweep"):
        watching = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert watching.stdout is not None
        assert watching.stdout.readline().strip() == str(folder / "report.html")
        JsonlStore(folder / "records.jsonl").append(with_own_design(trial(1, 60.0, 4.0, 64)))
        deadline = time.monotonic() + 60
        while "2 designs evaluated" not in (folder / "report.html").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert watching.poll() is None
    (folder / ".lock").write_text("")
    watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert 'http-equiv="refresh"' not in (folder / "report.html").read_text()


def test_records_of_the_first_version_have_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "old"
    shutil.copytree(OLD, folder)
    lines = (folder / "records.jsonl").read_text().splitlines()
    # Also those whose concat head is not built any more, by the fingerprint that it had.
    assert any(json.loads(line)["design"]["head"] == "concat" for line in lines)
    complete = sum(json.loads(line)["state"] == "complete" for line in lines)
    assert f"{complete} designs evaluated" in written(folder)


def test_records_of_several_devices_are_not_mixed(tmp_path: Path) -> None:
    other = trial(1, 60.0, 3.0, 96)
    metrics = {name.replace("snapdragon-865", "pixel"): metric for name, metric in other.metrics.items()}
    folder = run_folder(tmp_path / "run", [trial(0, 50.0, 3.0, 64), replace(other, metrics=metrics)])
    assert "1 evaluated designs have no number for every objective and are not ranked" in written(folder)


def test_records_of_several_budgets_are_not_mixed(tmp_path: Path) -> None:
    short = trial(1, 99.0, 1.0, 96, fidelity=replace(FIDELITY, budget=10))
    page = written(run_folder(tmp_path / "run", [trial(0, 50.0, 3.0, 64), short]))
    assert "1 designs were evaluated as" in page
    assert json.loads(page.partition('id="data">')[2].partition("</script>")[0])["rank"] == [0, None]


def test_a_name_that_is_html_is_shown_as_text(tmp_path: Path) -> None:
    page = written(run_folder(tmp_path / "run", some(), name=HOSTILE))
    assert HOSTILE not in page.partition("<script>")[0]
    assert "&lt;img src=x" in page


def test_an_infinite_interval_is_none(tmp_path: Path) -> None:
    open_above = Metric(value=3.0, source="predicted", low=2.0, high=None)
    one = replace(record(0), metrics={**record(0).metrics, LATENCY: open_above})
    assert "typically a factor" not in written(run_folder(tmp_path / "run", [one]))


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("report", "dashboard"):
        status, told = refused(capsys, command, "nowhere")
        assert (status, "there is no run 'nowhere'" in told) == (2, True)
        (tmp_path / command).mkdir()
        status, told = refused(capsys, command, tmp_path / command)
        assert (status, "it must be the run folder of a study" in told) == (2, True)
    folder = run_folder(tmp_path / "run", some())
    (tmp_path / "mine.html").write_text("mine")
    status, told = refused(capsys, "report", folder, "--out", tmp_path / "mine.html")
    assert (status, "no page of topformer report" in told) == (2, True)
    (folder / "records.jsonl").write_text("{}\n")
    status, told = refused(capsys, "report", folder)
    assert (status, "records.jsonl, line 1" in told) == (1, True)


def test_the_dashboard_says_where_it_is(tmp_path: Path) -> None:
    pytest.importorskip("optuna_dashboard")
    folder = run_folder(tmp_path / "run", some())
    # A program that is started in the background of a shell may be told to ignore Ctrl-C.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"from experiments.cli import main; main(['dashboard', {str(folder)!r}, '--port', '0'])"
    )
    serving = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    killer = threading.Timer(120, serving.kill)
    killer.start()
    assert serving.stdout is not None
    assert serving.stdout.readline().startswith("http://127.0.0.1:")
    killer.cancel()
    serving.send_signal(2)
    serving.communicate(timeout=60)

"""`topformer report` and `topformer dashboard` as a user calls them: every kind of run, and every kind of mistake."""

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.records.record import JsonlStore, Metric, State
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
        assert (status, "must be the run folder of a study" in told) == (2, True)
    folder = run_folder(tmp_path / "run", some())
    (tmp_path / "mine.html").write_text("mine")
    status, told = refused(capsys, "report", folder, "--out", tmp_path / "mine.html")
    assert (status, "no page of topformer report" in told) == (2, True)
    (folder / "records.jsonl").write_text("{}\n")
    status, told = refused(capsys, "report", folder)
    assert (status, "records.jsonl, line 1" in told) == (1, True)


def copied_ablation(folder: Path) -> Path:
    """A run folder with the first records of the committed ablation."""
    folder.mkdir(parents=True)
    (folder / "study.json").write_text('{"schema": 1, "name": "ablations"}')
    lines = (ROOT / "docs" / "ablations" / "records.jsonl").read_text().splitlines()
    (folder / "records.jsonl").write_text("".join(f"{line}\n" for line in lines[:5]))
    return folder


def test_an_ablation_has_a_page_of_the_tables_that_ran(tmp_path: Path) -> None:
    page = written(copied_ablation(tmp_path / "abl"))
    assert "5 runs complete, 0 failed." in page
    assert re.findall(r'<section id="(table-\d+)"', page) == ["table-7", "table-8"]


def test_an_ablation_without_records_says_so(tmp_path: Path) -> None:
    folder = copied_ablation(tmp_path / "abl")
    (folder / "records.jsonl").unlink()
    with held(folder, "sweep"):
        page = written(folder)
    assert "No run has ended yet. It goes on" in page
    assert 'http-equiv="refresh"' in page


def test_an_ablation_that_only_failed_says_why(tmp_path: Path) -> None:
    folder = copied_ablation(tmp_path / "abl")
    broken = [
        replace(one, state=State.FAILED, reason=f"killed {HOSTILE}") for one in JsonlStore(folder / "records.jsonl")
    ]
    (folder / "records.jsonl").unlink()
    JsonlStore(folder / "records.jsonl").append_many(broken)
    page = written(folder)
    assert "0 runs complete, 5 failed." in page
    assert "failed: killed &lt;/script&gt;" in page
    assert 'id="verdicts"' not in page


def test_the_run_of_a_truth_is_shown_as_a_ladder_while_it_goes_on(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "truth", some(), strata=["depth"])
    with held(folder, "sweep"):
        page = written(folder)
    assert "12 designs, of which 12 have the truth" in page
    assert "It goes on; this page shows what is recorded so far." in page
    assert "12 designs evaluated" in written(folder, "--kind", "run")


def test_runs_of_another_budget_or_table_are_counted(tmp_path: Path) -> None:
    folder = copied_ablation(tmp_path / "abl")
    records = list(JsonlStore(folder / "records.jsonl"))
    short = replace(records[0], seed=7, fidelity=replace(records[0].fidelity, budget=10))
    own = {**records[0].details, "ablation": {"table": "<b>mine", "row": "x", "base": "nano"}}
    JsonlStore(folder / "records.jsonl").append_many([short, replace(records[0], seed=8, details=own)])
    page = written(folder)
    assert f"1 runs of study {records[0].study} on nano at 128x128 with 10 iterations are not comparable" in page
    assert "1 runs are of the table &#x27;&lt;b&gt;mine&#x27;" in page


def test_a_device_and_a_truth_table_have_pages_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", "snapdragon-865-paddle-lite"]) == 0
    assert main(["report", "nano-tokenworld"]) == 0
    device, ladder = (
        (tmp_path / f"{name}.html").read_text() for name in ("snapdragon-865-paddle-lite", "nano-tokenworld")
    )
    assert "Predicted against measured" in device
    assert "What each rung is worth" in ladder


def test_a_name_of_several_things_must_be_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run_folder(tmp_path / "runs" / "nano-tokenworld", some())
    status, told = refused(capsys, "report", "nano-tokenworld")
    assert status == 2
    assert "is the run runs/nano-tokenworld and the truth that comes with the project: say which by --kind" in told
    assert main(["report", "nano-tokenworld", "--kind", "run"]) == 0
    assert main(["report", "runs/nano-tokenworld"]) == 0
    assert (tmp_path / "runs" / "nano-tokenworld" / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["raspbery-pi-4"], "did you mean 'raspberry-pi-4'? (devices: "),
        (["raspberry-pi-4", "--watch"], "--watch is for a run, got the device raspberry-pi-4"),
        (["raspberry-pi-4", "nano-tokenworld"], "a page is of one device or run"),
        (["raspberry-pi-4", "--kind", "run"], "--kind must be what 'raspberry-pi-4' is, a device, got run"),
        ([str(ROOT / "README.md")], "README.md is a file; name the folder that it is in"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, told = refused(capsys, "report", *words)
    assert (status, message in told) == (2, True), told


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

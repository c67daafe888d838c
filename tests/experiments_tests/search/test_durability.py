"""A sweep that is killed, interrupted or started twice."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from analysis.records.record import JsonlStore, State
from experiments.search.storage import JOURNAL_FILE
from tests import ROOT
from tests.experiments_tests.search.test_sweep import ended, sweep
from topformer.errors import StudyError


def start(folder: Path, *, seconds: float = 0.15, trials: int = 8, workers: int = 2) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "tests.experiments_tests.search.stand_in"]
    arguments = [str(folder), str(folder.parent / "log"), str(seconds), str(trials), str(workers)]
    return subprocess.Popen(
        program + arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def recorded(folder: Path) -> dict[str, State]:
    return {record.fingerprint: record.state for record in JsonlStore(folder / "records.jsonl").read().records}


def wait_for(folder: Path, evaluations: int, process: subprocess.Popen[str]) -> None:
    """Until so many evaluations have begun, or the sweep has ended."""
    deadline = time.monotonic() + 60
    while ended(folder, "begin").total() < evaluations and process.poll() is None:
        assert time.monotonic() < deadline, "the sweep did not begin"
        time.sleep(0.01)


def test_a_sweep_killed_at_any_moment_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    folder, random = tmp_path / "run", Random(0)
    kills = 0
    known: dict[str, State] = {}
    begun = Counter[str]()
    while True:
        process = start(folder, seconds=0.4)
        if kills < 5:
            wait_for(folder, begun.total() + 1, process)
            time.sleep(random.uniform(0, 0.4))
        else:
            process.communicate(timeout=60)
        finished = process.poll() is not None
        process.kill()
        process.communicate()
        # The workers end with their parent.
        time.sleep(0.2)
        now = recorded(folder)
        assert known.items() <= now.items()
        # What had a record before this start has not begun again.
        assert all(ended(folder, "begin")[fingerprint] == begun[fingerprint] for fingerprint in known)
        known, begun = now, ended(folder, "begin")
        if finished:
            break
        kills += 1
    assert kills >= 3
    assert Counter(known.values())[State.COMPLETE] == 8
    records = JsonlStore(folder / "records.jsonl").read().records
    assert len({record.fingerprint for record in records}) == len(records)
    assert len({record.trial for record in records}) == len(records)


def test_an_evaluation_under_way_is_taken_up_again_after_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(folder, seconds=30, trials=2)
    wait_for(folder, 2, process)
    process.kill()
    process.communicate()
    under_way = set(ended(folder, "begin"))
    start(folder, seconds=0.1, trials=2).communicate(timeout=60)
    assert set(ended(folder)) == under_way
    assert {name for name, state in recorded(folder).items() if state is State.COMPLETE} == under_way


def test_ctrl_c_ends_with_status_130_and_the_same_command_continues(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(folder, seconds=30)
    wait_for(folder, 2, process)
    # To the whole group, as a terminal does.
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert (folder / "logs" / "worker-0.log").read_text() == ""
    continued = start(folder, seconds=0.1)
    continued.communicate(timeout=60)
    assert continued.returncode == 0
    assert Counter(recorded(folder).values())[State.COMPLETE] == 8


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    process = start(tmp_path / "run", seconds=30)
    wait_for(tmp_path / "run", 2, process)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    # Workers are in the session that the parent began.
    while _session_lives(process.pid):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)


def _session_lives(session: int) -> bool:
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return False
    return True


def test_two_sweeps_do_not_run_in_one_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(folder, seconds=30)
    try:
        wait_for(folder, 1, process)
        with pytest.raises(StudyError, match=rf"another sweep runs in .*run \(process {process.pid}\)"):
            sweep(folder)
    finally:
        process.kill()
        process.communicate()


def test_a_lost_journal_is_written_again_from_the_records(tmp_path: Path) -> None:
    import optuna

    folder = tmp_path / "run"
    sweep(folder, trials=2)
    (folder / JOURNAL_FILE).unlink()
    sweep(folder, trials=3)
    backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL_FILE))
    storage = optuna.storages.JournalStorage(backend)
    trials = optuna.load_study(study_name=None, storage=storage).trials
    assert [trial.user_attrs["trial"] for trial in trials] == [r.trial for r in JsonlStore(folder / "records.jsonl")]


def test_an_unfinished_record_is_set_aside_and_its_evaluation_taken_up_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sweep(folder, trials=2)
    path = folder / "records.jsonl"
    whole = path.read_bytes()
    torn = whole[:-40]
    path.write_bytes(torn)
    summary = sweep(folder, trials=2)
    assert summary.status.complete == 2
    assert set(recorded(folder)) == set(ended(folder))

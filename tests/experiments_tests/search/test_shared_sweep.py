"""Several drivers in processes of their own, which are killed, with a server that is restarted."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.records.record import JsonlStore, State
from tests import ROOT
from tests.experiments_tests.search.claims.private_server import PrivateServer, binaries
from tests.experiments_tests.search.test_sweep import ended, sweep
from topformer.errors import StorageError

DESIGNS = 8


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateServer]:
    if binaries() is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    with PrivateServer() as running:
        yield running


def start(folder: Path, url: str, *, seconds: float = 0.4) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "tests.experiments_tests.search.stand_in"]
    arguments = [folder, folder.parent / "log", seconds, DESIGNS, 1, url]
    return subprocess.Popen(
        [*program, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def begun(folder: Path, count: int) -> None:
    """Until so many evaluations have begun."""
    deadline = time.monotonic() + 60
    while ended(folder, "begin").total() < count:
        assert time.monotonic() < deadline, "the drivers did not begin"
        time.sleep(0.02)


def test_drivers_that_are_killed_and_a_server_that_restarts_lose_and_repeat_nothing(
    server: PrivateServer, tmp_path: Path
) -> None:
    url, folders = server.database(), [tmp_path / f"run-{number}" for number in range(2)]
    running = {folder: start(folder, url) for folder in folders}
    begun(folders[0], 2)
    victim = running.pop(folders[0])
    victim.kill()
    victim.communicate()
    server.stop()
    server.start()
    running[folders[0]] = start(folders[0], url)
    for folder, process in running.items():
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, f"{folder.name}: {errors}"
    complete = [
        {record.fingerprint for record in JsonlStore(folder / "records.jsonl") if record.state is State.COMPLETE}
        for folder in folders
    ]
    assert complete[0] == complete[1]
    assert len(complete[0]) == DESIGNS
    # What the killed driver was at began twice and ended once.
    assert ended(folders[0]) == Counter(complete[0])
    assert set(ended(folders[0], "begin").values()) <= {1, 2}
    assert ended(folders[0], "begin").total() <= DESIGNS + 1


@pytest.mark.slow
def test_a_driver_that_slept_through_its_lease_changes_nothing(server: PrivateServer, tmp_path: Path) -> None:
    url, (sleeper, other) = server.database(), (tmp_path / "sleeper", tmp_path / "other")
    asleep = start(sleeper, url, seconds=2.0)
    begun(sleeper, 1)
    asleep.send_signal(signal.SIGSTOP)
    awake = start(other, url)
    _, errors = awake.communicate(timeout=120)
    assert awake.returncode == 0, errors
    asleep.send_signal(signal.SIGCONT)
    asleep.communicate(timeout=60)
    assert asleep.returncode == 0
    found = [sorted((tmp_path / name / "records.jsonl").read_bytes().splitlines()) for name in ("sleeper", "other")]
    assert found[0] == found[1]
    states = Counter(record.state for record in JsonlStore(other / "records.jsonl"))
    assert states[State.COMPLETE] == DESIGNS


def test_a_storage_that_does_not_answer_ends_the_sweep_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not answer"):
        sweep(tmp_path / "run", storage="postgresql+psycopg://me:secret@127.0.0.1:9/study")
    assert not list(tmp_path.glob("run/trials/*"))
    assert "secret" not in "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_the_password_is_in_no_file_of_the_run(server: PrivateServer, tmp_path: Path) -> None:
    url = server.database().replace("postgres@", "postgres:pass-word-7@")
    sweep(tmp_path / "run", trials=1, storage=url)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"pass-word-7" in path.read_bytes()]

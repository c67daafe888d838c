"""The file of records under crashes, full disks and several writers."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.records.record import JsonlStore, encode
from tests.analysis_tests.examples import record
from tests.analysis_tests.records.conformance import RecordStoreConformance
from topformer.errors import RecordError, StorageError

WRITER = """
import itertools, sys
from pathlib import Path
from analysis.records.record import JsonlStore
from tests.analysis_tests.examples import record
path, first, count, size = Path(sys.argv[1]), *map(int, sys.argv[2:])
store = JsonlStore(path)
for trial in itertools.islice(itertools.count(first), count or None):
    store.append(record(trial, details={"text": "x" * size}))
    print(trial, flush=True)
"""

FULL_DISK = """
import resource, sys
from pathlib import Path
from analysis.records.record import JsonlStore
from tests.analysis_tests.examples import record
from topformer.errors import StorageError
store = JsonlStore(Path(sys.argv[1]))
store.append(record(0))
length = store.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (length + 100, resource.RLIM_INFINITY))
try:
    store.append(record(1))
except StorageError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(store.path.stat().st_size == length)
store.append(record(2))
print(*(one.trial for one in store))
"""


def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def store(tmp_path: Path) -> JsonlStore:
    return JsonlStore(tmp_path / "records.jsonl")


class TestJsonlStore(RecordStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> JsonlStore:
        return JsonlStore(tmp_path / "run" / "records.jsonl")


def test_a_line_cut_anywhere_is_moved_aside_and_the_others_stay(store: JsonlStore) -> None:
    first, second = encode(record(0)), encode(record(1))
    torn = store.path.with_name("records.jsonl.torn")
    # Every 41st place and the last ones: each append waits for the disk.
    for length in (*range(1, len(second), 41), len(second) - 3, len(second) - 2):
        store.path.write_bytes(first + second[:length])
        torn.unlink(missing_ok=True)
        store.append(record(2))
        assert store.path.read_bytes() == first + encode(record(2))
        assert torn.read_bytes() == second[:length] + b"\n"


def test_a_line_that_lacks_only_its_newline_is_kept(store: JsonlStore) -> None:
    store.path.write_bytes(encode(record(0)) + encode(record(1)).rstrip())
    assert [one.trial for one in store] == [0, 1]
    store.append(record(2))
    assert [one.trial for one in store] == [0, 1, 2]


def test_reading_leaves_an_unfinished_line_out_and_says_so(store: JsonlStore, caplog: pytest.LogCaptureFixture) -> None:
    store.path.write_bytes(encode(record(0)) + b'{"schema":1,"stu')
    with caplog.at_level(logging.WARNING):
        assert list(store) == [record(0)]
    assert "the last line is unfinished and left out (16 bytes)" in caplog.text
    assert store.read().torn == b'{"schema":1,"stu'


def test_a_long_unfinished_line_is_found_whole(store: JsonlStore) -> None:
    tail = b"x" * 200_000
    store.path.write_bytes(encode(record(0)) + tail)
    store.append(record(1))
    assert store.path.with_name("records.jsonl.torn").read_bytes() == tail + b"\n"
    assert [one.trial for one in store] == [0, 1]


@pytest.mark.parametrize("broken", [b"{", b"", b"[]", b'{"schema":1}', b"\xff", b'{"schema":NaN}'])
def test_a_broken_line_in_the_middle_is_an_error_with_its_number(store: JsonlStore, broken: bytes) -> None:
    store.path.write_bytes(encode(record(0)) + broken + b"\n" + encode(record(1)))
    with pytest.raises(RecordError, match=r"records\.jsonl, line 2: "):
        list(store)


def test_a_full_disk_is_one_message_and_leaves_the_file_intact(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    out, _ = start(FULL_DISK, path).communicate(timeout=30)
    assert out.splitlines() == [f"cannot append to {path}: File too large", "True", "0 2"]


def test_a_path_that_cannot_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot append to .*records\.jsonl: "):
        JsonlStore(tmp_path / "file" / "records.jsonl").append(record())
    with pytest.raises(StorageError, match=r"cannot read .*: Is a directory"):
        list(JsonlStore(tmp_path))


def test_four_processes_append_to_one_file(store: JsonlStore) -> None:
    writers = [start(WRITER, store.path, 1000 * number, 40, 20_000) for number in range(4)]
    assert [writer.communicate(timeout=60) and writer.returncode for writer in writers] == [0, 0, 0, 0]
    trials = [one.trial for one in store]
    for number in range(4):
        own = [trial for trial in trials if trial // 1000 == number]
        assert own == list(range(1000 * number, 1000 * number + 40))
    assert len(trials) == 160


def test_what_was_acknowledged_survives_kill_9(store: JsonlStore) -> None:
    acknowledged: list[int] = []
    for turn in range(6):
        writer = start(WRITER, store.path, 1000 * turn, 0, 400_000)
        assert writer.stdout is not None
        acknowledged += [int(writer.stdout.readline()) for _ in range(turn + 1)]
        os.kill(writer.pid, signal.SIGKILL)
        rest, _ = writer.communicate(timeout=30)
        acknowledged += [int(line) for line in rest.splitlines()]
    store.append(record(9999))
    trials = [one.trial for one in store]
    assert set(acknowledged) <= set(trials)
    assert len(trials) == len(set(trials))
    assert trials[-1] == 9999

"""The list of screened designs, whole, old and damaged."""

import os
from pathlib import Path

import pytest

from analysis.records.screened import OLD_NAME, SCREENED, read_screened
from topformer.errors import RecordError, StorageError

TEXT = (
    "fingerprint,macs,parameters,latency_ms,low,high,verdict\n"
    "a,100,10,4.5,4,5,within limits\n"
    "b,300,30,9.5,9,10,latency_ms above limit\n"
)


@pytest.mark.parametrize("name", [SCREENED, OLD_NAME])
def test_it_reads_under_both_names(name: str, tmp_path: Path) -> None:
    # A byte-order mark is what a spreadsheet adds.
    (tmp_path / name).write_text("\ufeff" + TEXT, encoding="utf-8")
    found = read_screened(tmp_path)
    assert found is not None
    assert (found.designs, found.within) == (2, 1)
    assert found.worst == {"macs": 100, "parameters": 10, "latency_ms": 4.5}
    assert found.costs["macs"] == (100, 300)


def test_without_a_device_there_are_no_latencies(tmp_path: Path) -> None:
    (tmp_path / SCREENED).write_text("fingerprint,macs,parameters,latency_ms,verdict\na,1,2,,within limits\n")
    found = read_screened(tmp_path)
    assert found is not None
    assert found.costs == {"macs": (1,), "parameters": (2,), "latency_ms": ()}
    assert found.worst["latency_ms"] == 0


def test_no_file_is_none(tmp_path: Path) -> None:
    assert read_screened(tmp_path) is None


@pytest.mark.parametrize("text", ["", TEXT.splitlines()[0] + "\n", TEXT[:-1], TEXT[:-30], TEXT + "c,1\n"])
def test_a_cut_or_empty_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / SCREENED).write_text(text)
    with pytest.raises(RecordError, match=r"screened\.csv"):
        read_screened(tmp_path)


def test_a_file_that_cannot_be_read_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / SCREENED).mkdir()
    with pytest.raises(StorageError, match=r"cannot read .*screened\.csv: Is a directory"):
        read_screened(tmp_path)


def test_a_pipe_and_a_device_without_end_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / SCREENED)
    with pytest.raises(StorageError, match=r"screened\.csv: it is a pipe"):
        read_screened(tmp_path)
    (tmp_path / SCREENED).unlink()
    (tmp_path / SCREENED).symlink_to("/dev/zero")
    with pytest.raises(StorageError, match=r"screened\.csv: it is a device"):
        read_screened(tmp_path)


@pytest.mark.parametrize("cost", ["nan", "inf", "-1", "1_000", "much"])
def test_a_cost_that_none_can_be_is_refused(cost: str, tmp_path: Path) -> None:
    (tmp_path / SCREENED).write_text(TEXT.replace("100", cost))
    with pytest.raises(RecordError, match=f"{cost}'"):
        read_screened(tmp_path)

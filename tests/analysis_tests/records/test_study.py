"""Doubled, foreign and impossible records."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.records.fidelity import UNKNOWN
from analysis.records.record import JsonlStore, Metric, Record
from analysis.records.study import read_study
from tests.analysis_tests.examples import FIDELITY, LATENCY, record, with_own_design
from topformer.errors import RecordError


def stored(folder: Path, *records: Record) -> JsonlStore:
    store = JsonlStore(folder / "records.jsonl")
    store.append_many(records)
    return store


def real(own: int = 0, **changes: Any) -> Record:
    return replace(with_own_design(record(own)), **changes)


def test_a_doubled_line_counts_once(tmp_path: Path) -> None:
    store = stored(tmp_path, real(0), real(1))
    store.path.write_bytes(store.path.read_bytes() * 2)
    assert read_study(store).records == (real(0), real(1))


def test_one_design_at_two_seeds_is_two_records(tmp_path: Path) -> None:
    assert len(read_study(stored(tmp_path, real(0), real(0, trial=1, seed=1))).records) == 2


def test_the_unfinished_last_line_is_passed_on(tmp_path: Path) -> None:
    store = stored(tmp_path, real(0))
    with store.path.open("ab") as file:
        file.write(b'{"schema":2,')
    assert read_study(store).torn == b'{"schema":2,'


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (real(1, study="other"), "line 2: the record is of study other, the others are of nano"),
        (real(1, trial=0), r"line 2: trial 0 is \w+@128x128 here and \w+@128x128 on line 1"),
        (real(1, fingerprint="0123456789ab@128x128"), "line 2: fingerprint 0123456789ab@128x128 is not that of"),
        (real(1, height=96), "line 2: fingerprint .* is not that of the record's design and size"),
        (
            real(1, metrics={LATENCY: Metric(value=4.0, source="predicted", low=5.0, high=3.0)}),
            "line 2: the interval of latency_ms@snapdragon-865 ends below its start: low 5, high 3",
        ),
        (
            real(1, metrics={LATENCY: Metric(value=-4.0, source="predicted")}),
            "line 2: latency_ms@snapdragon-865 must not be negative, got -4",
        ),
        (
            real(1, metrics={LATENCY: Metric(value=4.0, source="predicted", shared_sd=0.1, own_sd=-0.2)}),
            "line 2: a standard deviation of latency_ms@snapdragon-865 is below 0: 0.1 shared, -0.2 of its own",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_file_and_line(wrong: Record, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=rf"records\.jsonl, {message}"):
        read_study(stored(tmp_path, real(0), wrong))


def test_the_study_may_be_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="line 1: the record is of study nano, the others are of tiny"):
        read_study(stored(tmp_path, real(0)), study="tiny")


def test_a_design_of_another_version_cannot_be_checked_and_stays(tmp_path: Path) -> None:
    one = real(0, design={"schema": 99})
    assert read_study(stored(tmp_path, one)).records == (one,)


def test_the_fidelity_of_old_records_is_the_studys(tmp_path: Path) -> None:
    old = real(0, fidelity=replace(FIDELITY, evaluator=UNKNOWN, data=UNKNOWN))
    assert read_study(stored(tmp_path, old), fidelity=FIDELITY).records == (real(0),)

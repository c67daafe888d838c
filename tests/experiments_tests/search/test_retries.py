"""Which failed designs a continued sweep tries again, from the sweep's own records."""

from functools import partial
from pathlib import Path

import pytest

from analysis.records.record import JsonlStore, State
from analysis.records.study import read_study
from experiments.search.sweep import SweepSummary, run_sweep
from experiments.trials.callback import NullCallback
from tests.experiments_tests.search.stand_in import Formula, definition


class Notes(NullCallback):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


def swept(
    folder: Path, *, retry_failed: bool = False, notes: Notes | None = None, fails_on: str = "", dies_on: str = ""
) -> SweepSummary:
    make = partial(Formula, log=folder / "log", fails_on=fails_on, dies_on=dies_on)
    study = definition(trials=6, space={"name": "paper", "base": "nano", "height": 128, "width": 128})
    return run_sweep(study, folder / "run", evaluator=make, callback=notes or Notes(), retry_failed=retry_failed)


@pytest.fixture
def died(tmp_path: Path) -> Path:
    """A run in which the worker of every design with one kind of head was killed."""
    assert swept(tmp_path, dies_on="concat").status.failed > 0
    return tmp_path


def test_a_design_whose_worker_died_is_tried_again_and_said(died: Path) -> None:
    notes = Notes()
    summary = swept(died, notes=notes)
    assert summary.status.failed == 0
    assert any("tried again" in line and "the worker died" in line for line in notes.lines)
    records = read_study(JsonlStore(died / "run" / "records.jsonl")).records
    assert {record.state for record in records} == {State.COMPLETE}
    assert len({record.trial for record in records}) == len(records) == summary.status.complete


def test_a_failure_of_its_own_is_tried_again_only_where_asked(tmp_path: Path) -> None:
    failed = swept(tmp_path, fails_on="concat").status.failed
    assert failed > 0
    notes = Notes()
    assert swept(tmp_path, notes=notes).status.failed == failed
    assert any("--retry-failed" in line for line in notes.lines)
    assert swept(tmp_path, retry_failed=True).status.failed == 0


def test_an_anchor_is_always_tried_again(tmp_path: Path) -> None:
    swept(tmp_path, fails_on="sum")
    before = read_study(JsonlStore(tmp_path / "run" / "records.jsonl")).records
    assert [record.state for record in before if record.origin == "anchor"] == [State.FAILED]
    swept(tmp_path)
    after = read_study(JsonlStore(tmp_path / "run" / "records.jsonl")).records
    assert [record.state for record in after if record.origin == "anchor"] == [State.COMPLETE]

"""Two workers that were given one folder."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from experiments.engines.engine import Done, Failed, perform
from experiments.engines.fence import NOTE, Fence, attempt_of
from tests.experiments_tests.engines.stand_in import Scripted, task
from topformer.errors import MachineError


def note(folder: Path, attempt: int) -> None:
    (folder / NOTE).write_text(json.dumps({"attempt": attempt}))


def test_the_worker_with_the_lower_attempt_stops(tmp_path: Path) -> None:
    note(tmp_path, 3)
    with pytest.raises(MachineError, match="attempt 3 there, 2 here"):
        Fence(tmp_path, 2).check()
    Fence(tmp_path, 3).check()
    Fence(tmp_path, 4).check()


def test_without_attempts_nothing_is_asked(tmp_path: Path) -> None:
    note(tmp_path, 3)
    Fence(tmp_path, 0).check()


@pytest.mark.parametrize("content", [None, "", "{}", '{"attempt": "7"}', '{"attempt": true}', "[7]"])
def test_a_note_that_says_none_is_attempt_0(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / NOTE).write_text(content)
    assert attempt_of(tmp_path) == 0


def test_a_task_that_was_taken_over_does_not_begin(tmp_path: Path) -> None:
    asked = replace(task(tmp_path, partial(Scripted, "err")), attempt=1)
    note(asked.folder, 2)
    ended = perform(asked, {}, lambda _news: None)
    assert isinstance(ended, Failed)
    assert ended.is_machines
    assert isinstance(perform(replace(task(tmp_path, Scripted), attempt=1), {}, lambda _news: None), Done)

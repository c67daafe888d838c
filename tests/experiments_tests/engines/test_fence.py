"""Of two workers in one folder, the later attempt goes on."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from experiments.engines.engine import Done, Failed, Iterations, perform
from experiments.engines.fence import begin_attempt, check_attempt, current_attempt, raise_attempt
from tests.experiments_tests.engines.stand_in import Scripted, task
from topformer.errors import MachineError


def test_attempts_are_counted_in_the_folder(tmp_path: Path) -> None:
    assert [begin_attempt(tmp_path) for _ in range(3)] == [1, 2, 3]


def test_an_earlier_attempt_stops_and_the_latest_goes_on(tmp_path: Path) -> None:
    first, second = begin_attempt(tmp_path), begin_attempt(tmp_path)
    check_attempt(tmp_path, second)
    with pytest.raises(MachineError, match=r"attempt 2 has begun in .*, so that attempt 1 stops"):
        check_attempt(tmp_path, first)


def test_an_attempt_whose_number_was_given_elsewhere_never_lowers_it(tmp_path: Path) -> None:
    raise_attempt(tmp_path, 5)
    raise_attempt(tmp_path, 3)
    assert current_attempt(tmp_path) == 5
    assert begin_attempt(tmp_path) == 6


def test_a_folder_without_the_file_belongs_to_whoever_is_there(tmp_path: Path) -> None:
    check_attempt(tmp_path, 1)


def test_an_evaluation_of_an_earlier_attempt_ends_when_it_tells_its_iterations(tmp_path: Path) -> None:
    told: list[Iterations] = []
    asked = task(tmp_path, partial(Scripted, value=1.0))
    asked = replace(asked, attempt=begin_attempt(asked.folder))
    assert isinstance(perform(asked, {}, told.append), Done)
    assert len(told) == 1
    begin_attempt(asked.folder)
    event = perform(asked, {}, told.append)
    assert isinstance(event, Failed)
    assert event.is_machines
    assert len(told) == 1

"""Limits that no design meets end a sweep before its first trial, with the least value that there is."""

from functools import partial
from pathlib import Path

import pytest

from experiments.search.sweep import run_sweep
from search_space.cost.closed_form import cost
from search_space.spaces.space import space
from tests.experiments_tests.search.stand_in import Formula, definition
from topformer.errors import StudyError

SMALL = {"name": "paper", "base": "nano", "height": 128, "width": 128, "only": {"depth": ["1"], "heads": ["2"]}}


def test_an_impossible_limit_is_refused_with_the_least_of_the_whole_space(tmp_path: Path) -> None:
    least = min(cost(candidate).macs for candidate in space(**SMALL))  # type: ignore[arg-type]
    study = definition(space=SMALL, limits={"macs": least - 1}, consider=3)
    with pytest.raises(StudyError, match=rf"limits.macs is .*, the least is {least:,.6g}".replace("+", r"\+")):
        run_sweep(study, tmp_path / "run", evaluator=partial(Formula, log=tmp_path / "log"))
    assert not (tmp_path / "log").exists()


def test_a_narrow_limit_that_the_sample_missed_is_no_mistake(tmp_path: Path) -> None:
    least = min(cost(candidate).macs for candidate in space(**SMALL))  # type: ignore[arg-type]
    study = definition(space=SMALL, limits={"macs": least}, consider=1, trials=1)
    assert run_sweep(study, tmp_path / "run", evaluator=partial(Formula, log=tmp_path / "log")).status.complete == 1

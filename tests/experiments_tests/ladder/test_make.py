"""The making of a truth table."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from analysis.results.ladder import ladder
from analysis.results.truth_files import truth_table
from experiments.ladder.make import make_truth, score_designs
from tests.experiments_tests.search.stand_in import Formula, definition
from topformer.errors import StudyError

STUDY = definition(trials=6)


def test_a_table_is_made_continued_and_scored(tmp_path: Path) -> None:
    make = partial(Formula, log=tmp_path / "log")
    half = make_truth(STUDY, tmp_path / "run", seeds=(0,), evaluator=make)
    assert half.text == "6/6 evaluated"
    made = make_truth(STUDY, tmp_path / "run", seeds=(0, 1), evaluator=make)
    assert (made.text, made.exit_status) == ("12/12 evaluated", 0)
    # Every design twice, none a third time.
    assert (tmp_path / "log").read_text().count("begin") == 12
    table = truth_table(tmp_path / "run")
    scored = score_designs(STUDY, tmp_path / "scores", table=table, evaluator=make)
    assert scored.text == "6/6 evaluated"
    assert ladder(table).noise == 0


def test_designs_of_another_base_are_refused(tmp_path: Path) -> None:
    make = partial(Formula, log=tmp_path / "log")
    make_truth(STUDY, tmp_path / "run", seeds=(0,), evaluator=make)
    other = replace(STUDY, space=replace(STUDY.space, height=96, width=96))
    with pytest.raises(StudyError, match="base, size or classes differ"):
        score_designs(other, tmp_path / "b", table=truth_table(tmp_path / "run"), evaluator=make)

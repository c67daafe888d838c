"""The making of a truth table."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from analysis.reports.truth_folder import write_truth
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


def test_what_a_table_has_is_not_trained_again_and_tables_are_joined(tmp_path: Path) -> None:
    make = partial(Formula, log=tmp_path / "log")
    make_truth(replace(STUDY, trials=4), tmp_path / "first", seeds=(0,), evaluator=make)
    first = truth_table(tmp_path / "first")
    made = make_truth(STUDY, tmp_path / "second", seeds=(0, 1), table=first, evaluator=make)
    assert made.text == "8/8 evaluated, 4 more are in the table"
    again = make_truth(replace(STUDY, trials=4), tmp_path / "third", seeds=(0,), table=first, evaluator=make)
    assert again.text == "0/0 evaluated, 4 more are in the table"
    assert (tmp_path / "log").read_text().count("begin") == 12
    write_truth(first, tmp_path / "frozen", first.protocol)
    both = truth_table(tmp_path / "frozen", tmp_path / "second")
    assert {len(values) for values in both.by_seed(both.truth).values()} == {2}
    assert len(both.designs) == 6
    assert both.protocol["space"] == first.protocol["space"]


def test_a_table_of_other_trainings_is_refused(tmp_path: Path) -> None:
    make = partial(Formula, log=tmp_path / "log")
    make_truth(replace(STUDY, trials=4), tmp_path / "first", seeds=(0,), evaluator=make)
    table = truth_table(tmp_path / "first")
    evaluator = {**table.protocol["evaluator"], "data": {"name": "formula", "files": "4d16"}}
    other = replace(table, protocol={**table.protocol, "evaluator": evaluator})
    with pytest.raises(StudyError, match=r'are others than .*: evaluator.data.files is "4d16" there and null here'):
        make_truth(STUDY, tmp_path / "second", seeds=(0,), table=other, evaluator=make)
    longer = replace(table, truth=replace(table.truth, iterations=7000))
    with pytest.raises(StudyError, match=r"are others than .*: budget is 7000 there and \d+ here"):
        make_truth(STUDY, tmp_path / "second", seeds=(0,), table=longer, evaluator=make)


def test_designs_of_another_base_are_refused(tmp_path: Path) -> None:
    make = partial(Formula, log=tmp_path / "log")
    make_truth(STUDY, tmp_path / "run", seeds=(0,), evaluator=make)
    other = replace(STUDY, space=replace(STUDY.space, height=96, width=96))
    with pytest.raises(StudyError, match="base, size or classes differ"):
        score_designs(other, tmp_path / "b", table=truth_table(tmp_path / "run"), evaluator=make)

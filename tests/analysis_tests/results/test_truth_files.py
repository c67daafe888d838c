"""Truth tables on disk."""

import json
from pathlib import Path

import pytest

from analysis.reports.truth_folder import write_truth
from analysis.results.truth_files import PROTOCOL, SCORES, names, protocol_of, truth_table
from tests.analysis_tests.examples import record, run_folder
from tests.analysis_tests.truth_tables import HALF, TRUTH, numbered, table
from topformer.errors import RecordError, StudyError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = table(numbered(6), lambda one, seed: one.costs["parameters"] + seed, others={HALF: lambda _one, _seed: 1.0})
    write_truth(made, tmp_path / "t", {"name": "made up", "device": "snapdragon-855"})
    return tmp_path / "t"


def test_a_table_comes_back_as_it_was(folder: Path) -> None:
    found = truth_table(folder)
    assert found.truth == TRUTH
    assert {rung.name for rung in found.scores} == {TRUTH.name, HALF.name}
    assert found.by_seed(found.truth)["d3"] == {0: 3.0, 1: 4.0}
    assert found.designs["d3"].costs == {"parameters": 3.0, "macs": -3.0}
    assert found.protocol["licence"] == "Apache-2.0"
    assert found.protocol["device"] == "snapdragon-855"


def test_the_records_of_several_runs_are_one_table(tmp_path: Path) -> None:
    versions = {"torch": "2.6"}
    first = run_folder(tmp_path / "a", [record(0, 50, versions=versions), record(1, 51, versions=versions)])
    second = run_folder(tmp_path / "b", [record(2, 52), record(3, None)])
    found = truth_table(first, second)
    assert sorted(by_seed[0] for by_seed in found.by_seed(found.truth).values()) == [50, 51, 52]
    assert protocol_of(first)["versions"] == {"torch": "2.6"}
    assert found.protocol["space"] == {"name": "mobile", "base": "nano"}


def test_what_is_no_table_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"unknown truth table 'nothing'.* or a run folder"):
        truth_table("nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match=r"one without records.jsonl"):
        truth_table(tmp_path / "empty")
    protocol = json.loads((folder / PROTOCOL).read_text())
    (folder / PROTOCOL).write_text(json.dumps({**protocol, "schema": 7}))
    with pytest.raises(StudyError, match=r"schema must be 1, got 7"):
        truth_table(folder)


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("d3,0,3,100", "d3,0,much,100", "value must be a number, got 'much'"),
        ("d3,0,3,100", "d9,0,3,100", "d9 stands not in designs.csv"),
        ("d3,0,3,100", "d3,-1,3,100", "seed must be a whole number of at least 0, got '-1'"),
        ("d3,0,3,100", "d3,0", "line 8: there must be 9 values, as in the first line"),
        ("metric,", "meter,", "must have the columns metric"),
        ("trained,1200,1200", "trained,1100,1200", "unknown .* truth 'trained 1200'"),
    ],
)
def test_a_broken_file_names_its_line(folder: Path, wrong: str, right: str, message: str) -> None:
    text = (folder / SCORES).read_text()
    assert wrong in text
    (folder / SCORES).write_text(text.replace(wrong, right))
    with pytest.raises(RecordError, match=message):
        truth_table(folder)


def test_every_table_that_comes_with_the_project_can_be_read() -> None:
    for name in names():
        found = truth_table(name)
        assert set(found.by_seed(found.truth)) == set(found.designs)
        assert found.protocol["space"]["name"] in {"paper", "full", "published-search"}

"""Truth tables on disk."""

import json
from pathlib import Path

import pytest

from analysis.reports.truth_folder import write_truth
from analysis.results.truth_files import DESIGNS, PROTOCOL, SCORES, names, truth_table
from tests.analysis_tests.examples import record, run_folder
from tests.analysis_tests.truth_tables import HALF, TRUTH, numbered, table
from topformer.errors import InputError, RecordError, StudyError


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
    assert truth_table(first).protocol["versions"] == {"torch": "2.6"}
    assert found.protocol["space"] == {"name": "mobile", "base": "nano"}


def test_trainings_of_one_name_on_other_data_are_not_joined(tmp_path: Path) -> None:
    made = table(numbered(6), lambda one, _seed: one.costs["parameters"])
    for files in ("4d16", "ffff"):
        write_truth(made, tmp_path / files, {"evaluator": {"kind": "lean", "data": {"name": "mine", "files": files}}})
    assert len(truth_table(tmp_path / "4d16", tmp_path / "4d16").designs) == 6
    with pytest.raises(StudyError, match=r"4d16 and .*ffff have trained 1200 on different data"):
        truth_table(tmp_path / "4d16", tmp_path / "ffff")


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
        ("d3,0,3,100", "d3,0.5,3,100", "seed must be a whole number of at least 0, got '0.5'"),
        ("d3,0,3,100", "d3,1,3,100", "line 9: seed 1 of d3 stands there twice for trained 1200"),
        ("d3,0,3,100", "d3,0,3,-100", "seconds must be at least 0, got '-100'"),
        ("d3,0,3,100", "d3,0,1e300,100", "value must be a number, got '1e300'"),
        ("trained,600,1200", "trained,1300,1200", "iterations up to its schedule, got .* and 1300 of 1200"),
        ("trained,600,1200", "Trained,600,1200", "unknown source 'Trained'; did you mean 'trained'"),
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fixed_seconds": 3}, r"protocol\.json: fixed_seconds must be a table, got 3"),
        ({"fixed_seconds": {"x": -5}}, r"fixed_seconds\.x must be a finite number of at least 0, got -5"),
        ({"versions": {"torch": 3}}, r"versions\.torch must be a non-empty string, got 3"),
    ],
)
def test_a_protocol_that_cannot_be_read_is_named(folder: Path, change: dict[str, object], said: str) -> None:
    protocol = json.loads((folder / PROTOCOL).read_text())
    (folder / PROTOCOL).write_text(json.dumps({**protocol, **change}))
    with pytest.raises(RecordError, match=said):
        truth_table(folder)


def test_a_design_stands_there_once(folder: Path) -> None:
    lines = (folder / DESIGNS).read_text().splitlines(keepends=True)
    (folder / DESIGNS).write_text("".join([*lines, lines[-1]]))
    with pytest.raises(RecordError, match=r"designs\.csv, line 8: d5 stands there twice"):
        truth_table(folder)


def test_tables_of_several_input_sizes_are_not_joined(tmp_path: Path) -> None:
    first = run_folder(tmp_path / "a", [record(0, 50)])
    second = run_folder(tmp_path / "b", [record(1, 51, height=64, width=64)])
    with pytest.raises(StudyError, match="must have one input size, got 128x128, 64x64"):
        truth_table(first, second)


def test_a_table_is_written_over_no_file_of_another_kind(folder: Path, tmp_path: Path) -> None:
    found = truth_table(folder)
    write_truth(found, folder, found.protocol)
    own = tmp_path / "own"
    own.mkdir()
    (own / PROTOCOL).write_text('{"mine": 1}')
    with pytest.raises(InputError, match=r"protocol\.json is there already and no truth table of"):
        write_truth(found, own, found.protocol)
    assert (own / PROTOCOL).read_text() == '{"mine": 1}'

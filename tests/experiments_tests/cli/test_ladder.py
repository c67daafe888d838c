"""The commands around a truth table, on one that was made up."""

import json
from functools import partial
from pathlib import Path

import pytest

from analysis.reports.truth_folder import write_truth
from experiments.ladder.make import make_truth
from tests.experiments_tests.cli.test_cli import refused, run
from tests.experiments_tests.ladder.pools import made_up
from tests.experiments_tests.search.stand_in import Formula, definition


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_truth(made_up(), tmp_path / "t", made_up().protocol)
    return tmp_path / "t"


def test_ladder_prints_a_table_or_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "ladder", folder, "--json")
    found = json.loads(out)
    assert (status, err, found["designs"]) == (0, "", 40)
    assert {"rung", "tau", "low", "high", "seconds_per_design"} <= found["rungs"][0].keys()
    assert "trained 600 of 1200" in run(capsys, "ladder", folder)[1]


def test_replay_prints_what_each_sampler_reaches_and_draws_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--samplers", "random, halving", "--trials", 12, "--seeds", 2)
    status, out, err = run(capsys, "replay", folder, *options, "--json", "--plot", tmp_path / "r.png")
    found = json.loads(out)
    assert (status, err, found["designs"], found["cost"]) == (0, "", 40, "latency_ms")
    assert [one["name"] for one in found["samplers"]] == ["random", "halving"]
    assert len(found["samplers"][0]["median"]) == 12
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    assert "halving" in run(capsys, "replay", folder, *options)[1]


def test_mistakes_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "unknown truth table 'nowhere'" in refused(capsys, "ladder", "nowhere")
    assert "at most the 40 recorded designs, got 41" in refused(capsys, "replay", folder, "--trials", 41)
    assert "did you mean 'nsga3'" in refused(capsys, "replay", folder, "--samplers", "nsga4")
    assert "one without records.jsonl" in refused(capsys, "truth", "freeze", folder.parent, "--out", folder)


def test_truth_freezes_a_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_truth(definition(trials=6), tmp_path / "run", seeds=(0, 1), evaluator=partial(Formula, log=tmp_path / "log"))
    status, out, _ = run(capsys, "truth", "freeze", tmp_path / "run", "--out", tmp_path / "table")
    assert (status, len(out.splitlines())) == (0, 3)
    assert json.loads(run(capsys, "ladder", tmp_path / "table", "--json")[1])["designs"] == 6
    once = ("truth", "freeze", tmp_path / "run", "--out", tmp_path / "table", "--once")
    assert run(capsys, *once, "trained 10=600")[0] == 0
    assert json.loads((tmp_path / "table" / "protocol.json").read_text())["fixed_seconds"] == {"trained 10": 600}
    assert "did you mean 'trained 10'" in refused(capsys, *once, "trained 11=600")

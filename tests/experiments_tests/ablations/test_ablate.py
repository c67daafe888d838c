"""Ablations from the plan to the files, with a formula in the place of the training."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analysis.records.record import JsonlStore, Record, State
from analysis.results.effects import Agreement
from experiments.ablations.ablate import AblationSummary, Asked, outlook, run_ablations
from experiments.ablations.definition import table, table_names
from experiments.ablations.plan import Base
from experiments.ablations.report import remake
from experiments.cli import ablate as command
from experiments.engines.workers import Workers
from experiments.evaluators.definition import EvaluatorDefinition
from search_space.candidate import Candidate
from tests import ROOT
from tests.experiments_tests.ablations.stand_in import Formula
from topformer.errors import InputError, StudyError
from topformer.presets import NANO

EARLIER = ROOT / "tests" / "first_schema" / "ablations.jsonl"
BASE = Base(name="nano", candidate=Candidate(design=NANO, height=128, width=128))


def asked(seeds: int = 2, budget: int = 10, workers: int = 1) -> Asked:
    evaluator = EvaluatorDefinition(kind="lean", data="tokenworld", budget=budget)
    return Asked(base=BASE, evaluator=evaluator, seeds=tuple(range(seeds)), workers=Workers(count=workers))


def ran(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def run(tmp_path: Path, *names: str, what: Asked | None = None, **changes: Any) -> AblationSummary:
    make = partial(Formula, log=tmp_path / "log", **changes)
    return run_ablations([table(name) for name in names], what or asked(), tmp_path / "runs", evaluator=make)


def test_two_tables_share_their_runs_and_say_what_the_paper_says(tmp_path: Path) -> None:
    summary = run(tmp_path, "table-3", "table-8", what=asked(seeds=3, workers=2))
    # Three rows each, of which the base stands in both: five networks with three seeds.
    assert len(ran(tmp_path / "log")) == len(set(ran(tmp_path / "log"))) == 5 * 3
    found = [row.measured for row in summary.tables[0].rows]
    assert [one.agreement for one in found if one is not None] == [Agreement.AGREES, None, Agreement.AGREES]
    assert summary.exit_status == 0


def test_a_later_table_runs_only_what_is_new(tmp_path: Path) -> None:
    run(tmp_path, "table-3")
    before = len(ran(tmp_path / "log"))
    summary = run(tmp_path, "table-3", "table-7")
    # M of 256 and 192 are new; 128 is nano itself.
    assert len(ran(tmp_path / "log")) - before == 2 * 2
    assert dict(summary.plan.tables[1].paid) == {"table-3": 2}


def test_more_seeds_add_to_those_that_are_paid(tmp_path: Path) -> None:
    run(tmp_path, "table-2", what=asked(seeds=1))
    summary = run(tmp_path, "table-2", what=asked(seeds=2))
    assert [line.split()[1] for line in ran(tmp_path / "log")] == ["0", "0", "1", "1"]
    assert summary.tables[0].rows[0].measured is not None
    assert set(summary.tables[0].rows[0].measured.scores) == {0, 1}


def test_another_recipe_shares_nothing_and_stands_in_the_same_store(tmp_path: Path) -> None:
    run(tmp_path, "table-2")
    run(tmp_path, "table-2", recipe=2)
    records = list(JsonlStore(tmp_path / "runs" / "records.jsonl"))
    assert len(records) == 8
    assert len({record.study for record in records}) == 2


def test_a_failed_run_is_a_record_and_is_tried_again(tmp_path: Path) -> None:
    summary = run(tmp_path, "table-5", fails_on="sum")
    row = summary.tables[0].rows[1].measured
    assert row is not None
    assert (row.scores, row.failed) == ({}, {0: "the loss is not finite", 1: "the loss is not finite"})
    assert summary.tables[0].rows[0].measured is not None
    assert summary.tables[0].rows[0].measured.difference is not None
    again = run(tmp_path, "table-5")
    assert again.tables[0].rows[1].measured is not None
    assert set(again.tables[0].rows[1].measured.scores) == {0, 1}
    states = [record.state for record in JsonlStore(tmp_path / "runs" / "records.jsonl")]
    assert (states.count(State.FAILED), states.count(State.COMPLETE)) == (2, 6)


def test_an_outlook_runs_nothing_and_knows_the_pace(tmp_path: Path) -> None:
    make = partial(Formula, log=tmp_path / "log", seconds=0.05)
    tables = [table("table-2"), table("table-3")]
    assert outlook(tables, asked(), tmp_path / "runs", evaluator=make).seconds is None
    assert not (tmp_path / "runs").exists()
    run(tmp_path, "table-2", seconds=0.05)
    found = outlook(tables, asked(workers=2), tmp_path / "runs", evaluator=make)
    assert (len(found.plan.jobs), found.plan.reused) == (4, 4)
    # Two rounds of two workers at 0.05 s each.
    assert found.seconds == pytest.approx(0.1)


@dataclass(frozen=True)
class Earlier(Formula):
    """The evaluator of an earlier ablation, by its own account."""

    metric = "miou@tokenworld-128"

    def describe(self) -> Mapping[str, Any]:
        settings: dict[str, Any] = next(iter(JsonlStore(EARLIER))).details["evaluator"]
        return settings


def test_runs_of_the_first_schema_are_paid_for(tmp_path: Path) -> None:
    shutil.copy(EARLIER, tmp_path / "records.jsonl")
    tables = [table(name) for name in table_names()]
    make = partial(Earlier, log=tmp_path / "log")
    found = outlook(tables, asked(seeds=3, budget=1200), tmp_path, evaluator=make)
    # Four rows are built otherwise since: the concat head, more FFN, PPM and ASPP, with three seeds each.
    assert (len(found.plan.jobs), found.plan.reused) == (12, 33)
    shorter = outlook(tables, asked(seeds=3, budget=800), tmp_path, evaluator=make)
    assert (len(shorter.plan.jobs), shorter.plan.reused) == (45, 0)


def test_tables_are_remade_from_records_alone(tmp_path: Path) -> None:
    summary = run(tmp_path, "table-3")
    records = list(JsonlStore(tmp_path / "runs" / "records.jsonl"))
    made, files = remake([table("table-3")], records, BASE, tmp_path / "again")
    assert made == summary.tables
    first, second = (folder / "tables" / "table-3.json" for folder in (tmp_path / "runs", tmp_path / "again"))
    assert first.read_bytes() == second.read_bytes()
    assert files.page.exists()


def test_records_of_two_recipes_must_be_told_apart(tmp_path: Path) -> None:
    run(tmp_path, "table-2")
    run(tmp_path, "table-2", recipe=2)
    records = list(JsonlStore(tmp_path / "runs" / "records.jsonl"))
    with pytest.raises(StudyError, match="of one evaluator and budget"):
        remake([table("table-2")], records, BASE, tmp_path / "again")
    made, _ = remake([table("table-2")], records, BASE, tmp_path / "again", study=records[0].study)
    assert made[0].evaluation is not None
    assert made[0].evaluation.settings["recipe"] == 1


def test_remaking_all_tables_imports_no_torch(tmp_path: Path) -> None:
    run(tmp_path, "table-2")
    program = (
        "import sys, argparse\nfrom experiments.cli import ablate\n"
        "parser = argparse.ArgumentParser()\nablate.add_arguments(parser)\n"
        f"ablate.run(parser.parse_args(['all', '--from', {str(tmp_path / 'runs' / 'records.jsonl')!r}, "
        f"'--out', {str(tmp_path / 'again')!r}]))\n"
        "print('HEAVY', sorted({'torch', 'optuna', 'mmseg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert {path.stem for path in (tmp_path / "again" / "tables").glob("*.json")} == set(table_names())


def main(folder: str) -> int:
    """An ablation that a test may interrupt."""
    make = partial(Formula, log=Path(folder) / "log", seconds=0.5)
    what = asked(seeds=6)
    return run_ablations([table("table-3")], what, Path(folder) / "runs", evaluator=make).exit_status


def test_ctrl_c_keeps_what_is_paid_and_the_same_command_continues(tmp_path: Path) -> None:
    program = (
        f"from tests.experiments_tests.ablations.test_ablate import main; raise SystemExit(main({str(tmp_path)!r}))"
    )
    started = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    deadline = time.monotonic() + 60
    while len(ran(tmp_path / "log")) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(started.pid, signal.SIGINT)
    assert started.wait(60) == 130
    kept = list(JsonlStore(tmp_path / "runs" / "records.jsonl"))
    assert 2 <= len(kept) < 18
    summary = run(tmp_path, "table-3", what=asked(seeds=6))
    assert summary.plan.reused == len(kept)
    assert len(list(JsonlStore(tmp_path / "runs" / "records.jsonl"))) == 18


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(list(words))


def test_the_command_lists_every_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(arguments("list")) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == table_names()
    assert command.run(arguments("list", "--json")) == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == table_names()


def test_a_dry_run_says_what_would_run_and_what_it_could_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(arguments("all", "--quick", "--dry-run", "--out", str(tmp_path / "runs"), "--workers", "2")) == 0
    text = capsys.readouterr().out
    assert "in all: 45 trainings of 1,200 iterations on nano, 0 reused" in text
    assert "3 seeds can show a difference to the baseline of 7.2 points or more" in text
    assert not (tmp_path / "runs").exists()


def test_a_generated_table_can_be_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--space", "paper", "--one-factor", "--dry-run", "--seeds", "1", "--json", "--out", str(tmp_path / "r"))
    assert command.run(arguments(*words)) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 40


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name tables"),
        (("table-3", "--space", "paper", "--one-factor"), "and not both"),
        (("--space", "paper"), "needs either"),
        (("table-3", "--one-factor"), "need a search space"),
        (("table-3", "--evaluator", "leen"), "did you mean 'lean'"),
        (("table-3", "--set", "batch"), "--set must be KEY=VALUE"),
        (("table-33", "--dry-run"), "unknown ablation table 'table-33'"),
        (("table-3", "--from", "nowhere.jsonl"), "no such file"),
    ],
)
def test_wrong_arguments_are_one_message(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError) as caught:
        command.run(arguments(*words))
    assert message in str(caught.value)


def test_records_of_another_kind_are_no_ablation(tmp_path: Path) -> None:
    run(tmp_path, "table-2")
    records = [replace(one, details={}) for one in JsonlStore(tmp_path / "runs" / "records.jsonl")]
    with pytest.raises(StudyError, match="got none"):
        remake([table("table-2")], list[Record](records), BASE, tmp_path / "again")

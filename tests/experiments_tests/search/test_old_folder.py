"""A run folder that version 0.1 left behind, made by its own command from `version_0_1/study.toml` and stopped.

Records of schema 1, `considered.csv`, no fidelity, and one evaluation that was begun.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analysis.records.record import JsonlStore, State
from analysis.reports.run_report import read_run, write_pareto
from experiments.evaluators.base import Accuracy, Progress
from experiments.search.shipped import study
from experiments.search.sweep import run_sweep
from search_space.candidate import Candidate
from topformer.errors import StudyError

OLD = Path(__file__).with_name("version_0_1")


@dataclass(frozen=True)
class Described:
    """An evaluator whose settings are those of the old folder, with changes."""

    changes: Mapping[str, Any]

    metric = "miou@tokenworld-64"

    def describe(self) -> Mapping[str, Any]:
        evaluator: dict[str, Any] = json.loads((OLD / "study.json").read_text())["evaluator"]
        return {**evaluator, **self.changes}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        (folder / "evaluated").touch()
        return Accuracy(metric=self.metric, value=20.0, source="trained", budget=budget, seed=seed, seconds=1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "run"))


def test_its_pareto_plot_can_be_drawn(folder: Path) -> None:
    run = read_run(folder)
    assert [record.state for record in run.records].count(State.COMPLETE) == 2
    assert len(run.screened["macs"]) == 20
    assert len({record.fidelity for record in run.records}) == 1
    assert write_pareto(folder).png.stat().st_size > 1000


def test_it_continues_where_nothing_that_matters_has_changed(folder: Path) -> None:
    (begun,) = (folder / "trials").iterdir()
    before = (folder / "records.jsonl").read_bytes()
    summary = run_sweep(study(str(OLD / "study.toml")), folder, evaluator=partial(Described, {}))
    after = (folder / "records.jsonl").read_bytes()
    assert after.startswith(before)
    (fresh,) = map(json.loads, after[len(before) :].splitlines())
    assert (fresh["schema"], fresh["trial"]) == (2, 10)
    assert fresh["fingerprint"] == begun.name
    # In the old folder, where its checkpoints are.
    assert (begun / "evaluated").exists()
    assert summary.status.complete == 3
    assert len({record.fidelity for record in read_run(folder).records}) == 1
    assert len(list(JsonlStore(folder / "records.jsonl"))) == 11


def test_it_is_refused_in_one_sentence_where_the_evaluator_has_changed(folder: Path) -> None:
    with pytest.raises(StudyError) as caught:
        run_sweep(study(str(OLD / "study.toml")), folder, evaluator=partial(Described, {"batch": 5}))
    assert (
        str(caught.value)
        == f"{folder} holds another study: evaluator.batch is 4 there and 5 here; choose another --out"
    )

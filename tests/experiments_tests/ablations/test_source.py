"""The trials of an ablation."""

from functools import partial
from pathlib import Path

import pytest

from experiments.ablations.definition import table
from experiments.ablations.plan import Base, Identity, plan
from experiments.ablations.source import JobSource
from experiments.trials.trial import TrialSource
from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from tests.experiments_tests.ablations.stand_in import Formula
from tests.experiments_tests.trials.conformance import TrialSourceConformance, taken
from topformer.presets import NANO

BASE = Base(name="nano", candidate=Candidate(design=NANO, height=128, width=128))


def source_of(log: Path, *, recorded: int = 0) -> JobSource:
    make = partial(Formula, log=log)
    jobs = plan([table("table-3")], BASE, (0,)).jobs
    return JobSource(jobs, base=BASE, budget=10, identity=Identity.of(make()), evaluator=make, recorded=recorded)


class TestJobSource(TrialSourceConformance):
    @pytest.fixture
    def source(self, tmp_path: Path) -> TrialSource:
        return source_of(tmp_path / "log")


def test_a_trial_says_which_row_it_is_for(tmp_path: Path) -> None:
    trials = taken(source_of(tmp_path / "log", recorded=7))
    assert [trial.number for trial in trials] == [7, 8, 9]
    assert {trial.details["ablation"]["table"] for trial in trials} == {"table-3"}
    assert len({trial.details["ablation"]["row"] for trial in trials}) == 3
    assert trials[0].details["metric"] == "miou@formula"
    assert trials[0].metrics["macs"].value == cost(trials[0].candidate).macs

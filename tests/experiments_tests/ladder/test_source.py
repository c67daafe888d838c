"""The trials of a truth table."""

from functools import partial
from pathlib import Path

import pytest

from analysis.records.record import State
from experiments.ladder.source import TruthSource
from experiments.search.study import Study
from experiments.trials.trial import TrialSource
from search_space.spaces.strata import stratified
from tests.experiments_tests.search.stand_in import Formula, definition
from tests.experiments_tests.trials.conformance import TrialSourceConformance, taken


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.of(definition(), partial(Formula, log=tmp_path / "log"))


class TestTruthSource(TrialSourceConformance):
    @pytest.fixture
    def source(self, study: Study) -> TrialSource:
        return TruthSource(study, stratified(study.space, ("head",), 3, 0), (0,), earlier=())


def test_the_first_seed_of_every_design_comes_before_the_second_of_any(study: Study) -> None:
    designs = stratified(study.space, ("head",), 3, 0)
    trials = taken(TruthSource(study, designs, (0, 1), earlier=()))
    assert [(trial.number, trial.seed) for trial in trials] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]
    assert trials[0].candidate == study.space.base


def test_what_is_recorded_is_not_made_again(study: Study) -> None:
    designs = stratified(study.space, ("head",), 2, 0)
    first, *_ = taken(TruthSource(study, designs, (0,), earlier=()))
    failed = first.record(State.FAILED, seconds=1.0, reason="nan")
    source = TruthSource(study, designs, (0, 1), earlier=[failed])
    assert [(trial.number, trial.seed) for trial in taken(source)] == [(1, 0), (0, 1), (1, 1)]
    assert source.standing.text == "0/4 evaluated, 1 failed"

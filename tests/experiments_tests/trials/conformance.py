"""What every source of trials promises: inherit, and override `source` with one of exactly three evaluations."""

import pickle

import pytest

from analysis.records.record import Record, State
from experiments.evaluators.base import Accuracy
from experiments.trials.trial import Trial, TrialSource


class TrialSourceConformance:
    @pytest.fixture
    def source(self) -> TrialSource:
        """Not asked yet."""
        raise NotImplementedError

    def test_it_gives_as_many_trials_as_it_wants_and_then_none(self, source: TrialSource) -> None:
        assert len(taken(source)) == 3
        assert source.next() is None

    def test_every_trial_has_a_key_and_a_number_of_its_own(self, source: TrialSource) -> None:
        trials = taken(source)
        assert len({trial.key for trial in trials}) == len({trial.number for trial in trials}) == 3

    def test_a_trial_says_what_it_is_evaluated_with(self, source: TrialSource) -> None:
        for trial in taken(source):
            candidate, fidelity = trial.candidate, trial.fidelity
            assert fidelity.size == f"{candidate.height}x{candidate.width}"
            evaluator = pickle.loads(pickle.dumps(trial.evaluator))()
            assert fidelity.evaluator.startswith(f"{evaluator.describe()['kind']}:")

    def test_what_is_told_counts(self, source: TrialSource) -> None:
        trials = taken(source)
        before = source.standing
        assert (before.spent, before.total) == (0, 3 * trials[0].fidelity.budget)
        source.tell(complete(trials[1]))
        after = source.standing
        assert (after.spent, after.total) == (trials[1].fidelity.budget, before.total)
        assert after.text.startswith("1/3 evaluated")

    def test_when_all_are_complete_nothing_is_left(self, source: TrialSource) -> None:
        for trial in taken(source):
            source.tell(complete(trial))
        assert source.next() is None
        assert source.standing.spent == source.standing.total

    def test_trials_may_end_one_after_the_other(self, source: TrialSource) -> None:
        keys = []
        while (trial := evaluated(source)) is not None:
            keys.append(trial.key)
            source.tell(complete(trial))
        assert len(keys) == len(set(keys)) == 3

    def test_a_failure_is_counted_and_not_asked_for_again(self, source: TrialSource) -> None:
        first, *others = taken(source)
        source.tell(first.record(State.FAILED, seconds=1.0, reason="the loss is not finite"))
        assert "1 failed" in source.standing.text
        for trial in others:
            source.tell(complete(trial))
        assert first.key not in {trial.key for trial in taken(source)}


def evaluated(source: TrialSource) -> Trial | None:
    """The next trial that is not pruned; pruned ones are told as the loop does."""
    while (trial := source.next()) is not None and trial.pruned:
        source.tell(trial.record(State.PRUNED, seconds=0.0))
    return trial


def taken(source: TrialSource) -> list[Trial]:
    """Every trial to evaluate that a source gives before it is told of any."""
    trials = []
    while (trial := evaluated(source)) is not None:
        trials.append(trial)
    return trials


def complete(trial: Trial, value: float = 50.0) -> Record:
    """The record of a trial that gave that accuracy."""
    metric = trial.evaluator().metric
    budget = trial.fidelity.budget
    accuracy = Accuracy(metric=metric, value=value, source="trained", budget=budget, seed=trial.seed, seconds=1.5)
    return trial.record(State.COMPLETE, seconds=2.0, accuracy=accuracy)

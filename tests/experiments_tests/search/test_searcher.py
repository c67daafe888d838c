"""Optuna behind the sweep: proposals, and a short memory."""

from collections.abc import Mapping

import optuna
import pytest

from analysis.records.record import State
from experiments.search.definition import Limits
from experiments.search.ehvi.designs import Designs
from experiments.search.samplers import SAMPLERS
from experiments.search.searcher import FORGOTTEN, Observation, Searcher
from search_space.spaces.space import Space
from search_space.spaces.space import space as make_space
from topformer.errors import StudyError

DIRECTIONS = ("max", "min")


@pytest.fixture(scope="module")
def space() -> Space:
    return make_space("paper", base="nano", height=128, width=128)


def searcher(space: Space, sampler: str = "random", seed: int = 0) -> Searcher:
    choices = {axis.name: axis.labels for axis in space.axes}
    return Searcher(
        sampler,
        directions=DIRECTIONS,
        choices=choices,
        seed=seed,
        trials=50,
        designs=lambda: listed(space),
        objectives=("accuracy", "macs"),
    )


def listed(space: Space) -> Designs:
    designs = Designs(space, Limits(), None)
    designs.add_listed(2000)
    return designs


def complete(trial: int, labels: Mapping[str, str], value: float = 1.0) -> Observation:
    return Observation(
        trial=trial, state=State.COMPLETE, labels=labels, values=(value, 2.0), constraints={"macs": -0.5}
    )


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_proposes_designs_of_the_space_and_learns(sampler: str, space: Space) -> None:
    asked = searcher(space, sampler)
    for trial in range(14):
        proposal = asked.ask(space)
        assert space.candidate(proposal.labels) == proposal.candidate
        asked.tell(proposal, complete(trial, proposal.labels, value=float(trial)))


def test_an_unknown_sampler_is_refused(space: Space) -> None:
    with pytest.raises(StudyError, match="did you mean 'nsga2'"):
        searcher(space, "nsga-2")


def test_the_same_seed_gives_the_same_proposals(space: Space) -> None:
    first, second = searcher(space, "tpe", seed=5), searcher(space, "tpe", seed=5)
    assert [first.ask(space).labels for _ in range(5)] == [second.ask(space).labels for _ in range(5)]


def test_given_labels_are_proposed(space: Space) -> None:
    labels = space.labels_of(space.base)
    assert labels is not None
    assert searcher(space, "tpe").ask(space, labels).candidate == space.base


def test_what_was_pruned_or_failed_does_not_change_the_proposals(space: Space) -> None:
    """A history with free prunings and failures in it is worth what its complete trials are worth."""
    history = [complete(trial, searcher(space, seed=trial).ask(space).labels, float(trial)) for trial in range(15)]
    others = [
        Observation(trial=20 + trial, state=state, labels=searcher(space, seed=50 + trial).ask(space).labels)
        for trial, state in enumerate([State.PRUNED, State.FAILED] * 10)
    ]
    short, long = searcher(space, "tpe"), searcher(space, "tpe")
    short.restore(history)
    long.restore([*others[:10], *history, *others[10:]])
    assert [short.ask(space).labels for _ in range(5)] == [long.ask(space).labels for _ in range(5)]


def test_an_open_proposal_survives_the_short_memory(space: Space) -> None:
    asked = searcher(space)
    kept = asked.ask(space)
    for _ in range(3 * FORGOTTEN):
        asked.forget(asked.ask(space))
    asked.tell(kept, complete(0, kept.labels))
    best = asked.study.best_trials
    assert [trial.params for trial in best] == [dict(kept.labels)]


def test_the_memory_stays_short(space: Space) -> None:
    asked = searcher(space)
    for _ in range(5 * FORGOTTEN):
        asked.forget(asked.ask(space))
    assert len(asked.study.trials) <= FORGOTTEN


def test_a_forgotten_proposal_is_no_history(space: Space) -> None:
    asked = searcher(space)
    asked.forget(asked.ask(space))
    states = [trial.state for trial in asked.study.trials]
    assert states == [optuna.trial.TrialState.FAIL]


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3"])
def test_a_genetic_sampler_continues_in_the_generation_where_it_stood(sampler: str, space: Space) -> None:
    asked, restored = searcher(space, sampler), searcher(space, sampler)
    history = []
    for trial in range(25):
        proposal = asked.ask(space)
        asked.tell(proposal, complete(trial, proposal.labels, value=float(trial)))
        history.append(complete(trial, proposal.labels, value=float(trial)))
    restored.restore(history)
    assert _next_generation(asked) == _next_generation(restored) == 2


def _next_generation(asked: Searcher) -> int:
    """That of a new proposal; populations are of 10, so that trials 0 to 9 are generation 0."""
    asked.ask(make_space("paper", base="nano", height=128, width=128))
    attributes = asked.study.trials[-1].system_attrs
    return next(int(value) for name, value in attributes.items() if name.endswith(":generation"))


def test_what_another_driver_evaluates_is_a_running_trial_also_after_a_new_start(space: Space) -> None:
    asked = searcher(space)
    labels = space.labels_of(space.base)
    assert labels is not None
    proposal = asked.watch(space.base, labels)

    def states() -> list[str]:
        return [trial.state.name for trial in asked.study.trials if trial.params == labels]

    assert states() == ["RUNNING"]
    for _ in range(FORGOTTEN + 1):
        asked.forget(asked.ask(space))
    assert states() == ["RUNNING"]
    asked.tell(proposal, complete(0, labels))
    assert states() == ["COMPLETE"]

"""Which trials the drivers of one study ask for, and what each learns of the others."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import optuna
import pytest

from analysis.records.record import Record, State
from analysis.records.study import read_study
from experiments.search.claims.database import Database
from experiments.search.claims.driver import Driver, joined
from experiments.search.searcher import Observation, Proposal, Searcher
from experiments.search.shared_source import SharedSource
from experiments.search.status import Results
from experiments.search.study import Study
from experiments.trials.run_folder import RunFolder
from experiments.trials.trial import Trial, TrialSource
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from tests.experiments_tests.search.test_source import study
from tests.experiments_tests.trials.conformance import TrialSourceConformance, complete, evaluated, taken


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and no study: Optuna takes a second to make its own."""
    path = tmp_path_factory.mktemp("tables") / "study.db"
    url = f"sqlite:///{path}"
    Database(url, print).close()
    storage = optuna.storages.RDBStorage(url)
    storage.engine.dispose()
    return path


class Drivers:
    """Drivers of one study in a database file, each with a run folder."""

    def __init__(self, tables: Path, folder: Path, **changes: Any) -> None:
        shutil.copy(tables, folder / "study.db")
        self.url = f"sqlite:///{folder / 'study.db'}"
        self.study: Study = study(folder, storage=self.url, **changes)
        self.notes: list[str] = []
        self._folder, self._open = folder, ExitStack()
        self._named: dict[str, ExitStack] = {}

    def __enter__(self) -> "Drivers":
        return self

    def __exit__(self, *why: object) -> None:
        for name in list(self._named):
            self.leave(name)

    def join(self, name: str) -> tuple[SharedSource, Driver, RunFolder]:
        stack = self._named[name] = ExitStack()
        one = self.study
        run = stack.enter_context(RunFolder(self._folder / name, one.description))
        driver, claims = stack.enter_context(
            joined(self.url, run, study=one.identity, fidelity=one.fidelity, lease=60.0, note=self.notes.append)
        )
        earlier = read_study(run.records, study=one.identity, fidelity=one.fidelity).records
        results = Results(one.objectives, {}, one.definition.trials)
        source = SharedSource(one, run, results, driver=driver, claims=claims, earlier=earlier, note=self.notes.append)
        return stack.enter_context(closing(source)), driver, run

    def leave(self, name: str) -> None:
        self._named.pop(name).close()


@pytest.fixture
def drivers(tables: Path, tmp_path: Path) -> Iterator[Drivers]:
    with Drivers(tables, tmp_path) as some:
        yield some


def finish(source: SharedSource, driver: Driver, trial: Trial, value: float = 50.0) -> Record:
    record = complete(trial, value)
    assert driver.append([record]) == {trial.key}
    source.tell(record)
    return record


class TestSharedSource(TrialSourceConformance):
    @pytest.fixture
    def source(self, tables: Path, tmp_path: Path) -> Iterator[TrialSource]:
        with Drivers(tables, tmp_path, limits={"latency_ms": 3.0}) as some:
            yield some.join("one")[0]


def test_two_drivers_evaluate_together_what_one_would(drivers: Drivers) -> None:
    (one, first, _), (other, second, _) = drivers.join("one"), drivers.join("other")
    mine = evaluated(one)
    second.look(at_once=True)
    others = taken(other)
    first.look(at_once=True)
    assert mine is not None
    assert len(others) == 2
    assert taken(one) == []
    assert len({mine.key, *(trial.key for trial in others)}) == 3
    assert len({mine.number, *(trial.number for trial in others)}) == 3


def test_what_another_driver_claims_at_the_same_moment_is_not_asked_for(drivers: Drivers) -> None:
    (one, _, _), (other, _, _) = drivers.join("one"), drivers.join("other")
    # Both begin with the base, and neither has looked at the other.
    mine, others = evaluated(one), evaluated(other)
    assert mine is not None
    assert others is not None
    assert mine.candidate == drivers.study.space.base != others.candidate


def test_a_driver_stays_while_others_evaluate_what_it_lacks(drivers: Drivers) -> None:
    (one, first, run), (other, second, _) = drivers.join("one"), drivers.join("other")
    trials = taken(one)
    second.look(at_once=True)
    assert taken(other) == []
    assert second.waits
    for trial in trials:
        finish(one, first, trial)
    assert not first.waits
    second.look(at_once=True)
    assert not second.waits
    assert other.standing.text.startswith("3/3 evaluated")
    assert len(list(run.records)) == 3


def test_what_a_driver_leaves_behind_is_taken_up_first_with_its_number(drivers: Drivers) -> None:
    (one, _, _), (other, second, _) = drivers.join("one"), drivers.join("other")
    left = evaluated(one)
    second.look(at_once=True)
    assert left is not None
    drivers.leave("one")
    second.look(at_once=True)
    again = evaluated(other)
    assert again is not None
    assert (again.key, again.number, again.origin, again.attempt) == (left.key, left.number, "anchor", 2)


def test_the_sampler_of_each_sees_what_the_others_evaluate_and_found(
    drivers: Drivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[dict[str, str]] = []
    told: list[tuple[float, ...]] = []
    watch, tell = Searcher.watch, Searcher.tell

    def watching(self: Searcher, candidate: Candidate, labels: Mapping[str, str]) -> Proposal:
        watched.append(dict(labels))
        return watch(self, candidate, labels)

    def telling(self: Searcher, proposal: Proposal, observation: Observation) -> None:
        told.append(observation.values[:1])
        tell(self, proposal, observation)

    (one, first, _), (_, second, _) = drivers.join("one"), drivers.join("other")
    mine = evaluated(one)
    assert mine is not None
    monkeypatch.setattr(Searcher, "watch", watching)
    monkeypatch.setattr(Searcher, "tell", telling)
    second.look(at_once=True)
    assert watched == [mine.labels]
    finish(one, first, mine, 61.0)
    second.look(at_once=True)
    # Once each by the driver that evaluated it and by the one that heard of it.
    assert told == [(61.0,), (61.0,)]
    assert watched == [mine.labels]


def test_drivers_do_not_propose_alike(drivers: Drivers, monkeypatch: pytest.MonkeyPatch) -> None:
    proposed: list[Mapping[str, str]] = []
    ask = Searcher.ask

    def asking(self: Searcher, space: Space, labels: Mapping[str, str] | None = None) -> Proposal:
        proposal = ask(self, space, labels)
        if labels is None:
            proposed.append(proposal.labels)
        return proposal

    (one, _, _), (other, _, _) = drivers.join("one"), drivers.join("other")
    evaluated(one)
    monkeypatch.setattr(Searcher, "ask", asking)
    assert evaluated(one) is not None
    assert evaluated(other) is not None
    assert len(proposed) == 2
    assert proposed[0] != proposed[1]


def test_a_failed_design_is_tried_again_by_whoever_comes_back(drivers: Drivers) -> None:
    one, first, _ = drivers.join("one")
    other, second, _ = drivers.join("other")
    trial = evaluated(one)
    assert trial is not None
    record = trial.record(State.FAILED, seconds=1.0, reason="the worker died 2 times", is_machines=True)
    first.append([record])
    one.tell(record)
    second.look(at_once=True)
    assert "1 failed" in other.standing.text
    drivers.leave("one")
    back, third, _ = drivers.join("one")
    second.look(at_once=True)
    assert "failed" not in other.standing.text
    again = evaluated(back)
    assert again is not None
    assert (again.key, again.number, again.attempt) == (trial.key, trial.number, 2)
    finish(back, third, again)
    second.look(at_once=True)
    assert other.standing.text.startswith("1/3 evaluated")


def test_one_driver_keeps_the_copy_and_another_takes_it_over(drivers: Drivers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.search.claims.copy.TURN_SECONDS", 0.0)
    (one, first, _), (other, second, _) = drivers.join("one"), drivers.join("other")
    for source, driver in ((one, first), (other, second)):
        trial = evaluated(source)
        assert trial is not None
        finish(source, driver, trial)
    assert copied(drivers) == [("COMPLETE", 0)]
    drivers.leave("one")
    dashboard(drivers).set_user_attr("note", "mine")
    second.look(at_once=True)
    assert copied(drivers) == [("COMPLETE", 0), ("COMPLETE", 10)]
    assert dashboard(drivers).user_attrs == {"note": "mine"}


def test_what_a_dashboard_enqueues_becomes_a_trial_of_one_driver(drivers: Drivers) -> None:
    labels = drivers.study.space.labels_of(drivers.study.space.sample(9, 1)[0])
    assert labels is not None
    drivers.join("first")
    dashboard(drivers).enqueue_trial(labels)
    drivers.leave("first")
    (one, first, _), (other, _, _) = drivers.join("one"), drivers.join("other")
    trials = [*taken(one), *taken(other)]
    (asked,) = [trial for trial in trials if trial.origin == "request"]
    assert asked.labels == labels
    finish(one, first, asked)
    assert copied(drivers) == [("COMPLETE", asked.number)]


def copied(drivers: Drivers) -> list[tuple[str, int]]:
    found = dashboard(drivers).get_trials(deepcopy=False)
    return sorted((trial.state.name, trial.user_attrs["trial"]) for trial in found)


def dashboard(drivers: Drivers) -> optuna.Study:
    (name,) = optuna.get_all_study_names(drivers.url)
    return optuna.load_study(study_name=name, storage=drivers.url)

"""Which trials a sweep asks for."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest

from analysis.records.record import State
from analysis.records.study import read_study
from experiments.search.source import SamplerSource
from experiments.search.status import Results
from experiments.search.storage import JOURNAL_FILE
from experiments.search.study import Study
from experiments.trials.run_folder import RunFolder
from experiments.trials.trial import TrialSource
from tests.experiments_tests.search.stand_in import Formula, definition
from tests.experiments_tests.trials.conformance import TrialSourceConformance, complete, evaluated, taken


def study(folder: Path, **changes: Any) -> Study:
    return Study.of(definition(trials=3, **changes), partial(Formula, log=folder / "log"))


def opened(study: Study, run: RunFolder) -> SamplerSource:
    earlier = read_study(run.records, study=study.identity, fidelity=study.fidelity).records
    results = Results(study.objectives, {}, study.definition.trials)
    return SamplerSource(study, run, results, earlier=earlier, note=lambda _text: None)


class TestSamplerSource(TrialSourceConformance):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Iterator[TrialSource]:
        one = study(tmp_path, limits={"latency_ms": 1.0})
        with RunFolder(tmp_path / "run", one.description) as run:
            yield opened(one, run)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFolder]:
    with RunFolder(tmp_path / "run", study(tmp_path).description) as run:
        yield run


def test_the_base_comes_first_and_then_the_sampler(run: RunFolder, tmp_path: Path) -> None:
    one = study(tmp_path)
    trials = taken(opened(one, run))
    assert trials[0].candidate == one.space.base
    assert [trial.origin for trial in trials] == ["anchor", "sampler", "sampler"]
    assert [trial.number for trial in trials] == [0, 1, 2]


def test_after_a_failure_another_design_takes_its_place(run: RunFolder, tmp_path: Path) -> None:
    source = opened(study(tmp_path), run)
    first, *_ = taken(source)
    source.tell(first.record(State.FAILED, seconds=0.0, reason="nan"))
    (another,) = taken(source)
    assert another.number == 3


def test_what_cost_decides_is_pruned_with_a_reason(tmp_path: Path) -> None:
    one = study(tmp_path, limits={"macs": 1}, asked=7)
    with RunFolder(tmp_path / "run", one.description) as run:
        source = opened(one, run)
        trials = []
        while (trial := source.next()) is not None:
            trials.append(trial)
            source.tell(trial.record(State.PRUNED, seconds=0.0))
    assert len(trials) == 7
    assert all("exceed the limit of 1" in trial.pruned for trial in trials)
    assert source.exhausted


def test_a_later_process_goes_on_where_the_records_end(run: RunFolder, tmp_path: Path) -> None:
    one = study(tmp_path)
    first = opened(one, run)
    begun = taken(first)
    for trial in begun:
        run.begin(trial)
    run.records.append(complete(begun[0]))
    second = opened(one, run)
    assert [(trial.key, trial.number) for trial in taken(second)] == [(trial.key, trial.number) for trial in begun[1:]]


def test_every_number_is_used_once_over_processes(run: RunFolder, tmp_path: Path) -> None:
    one = study(tmp_path)
    source = opened(one, run)
    trial = evaluated(source)
    assert trial is not None
    run.records.append(complete(trial))
    assert [other.number for other in taken(opened(one, run))] == [1, 2]


def test_what_was_enqueued_in_the_storage_becomes_a_trial(run: RunFolder, tmp_path: Path) -> None:
    one = study(tmp_path)
    labels = one.space.labels_of(one.space.sample(9, 1)[0])
    assert labels is not None
    opened(one, run)
    backend = optuna.storages.journal.JournalFileBackend(str(run.path / JOURNAL_FILE))
    storage = optuna.storages.JournalStorage(backend)
    (name,) = optuna.get_all_study_names(storage)
    optuna.load_study(study_name=name, storage=storage).enqueue_trial(labels)
    source = opened(one, run)
    trials = taken(source)
    assert [trial.origin for trial in trials] == ["anchor", "request", "sampler"]
    assert trials[1].labels == labels
    source.tell(complete(trials[1]))
    ended = optuna.load_study(study_name=name, storage=storage).trials
    assert [(trial.state.name, trial.user_attrs["trial"]) for trial in ended] == [("COMPLETE", 1)]

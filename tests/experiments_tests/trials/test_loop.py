"""The loop between a source and an engine, both played by the tests."""

import shutil
from collections import deque
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from analysis.records.record import JsonlStore, Key, Record, State
from experiments.engines.engine import Event, Interruption, Iterations, Task, perform
from experiments.evaluators.base import fidelity_of
from experiments.trials.callback import NullCallback
from experiments.trials.loop import FAILURES, Loop
from experiments.trials.run_folder import RunFolder
from experiments.trials.trial import Standing, Trial
from search_space.candidate import Candidate
from tests.experiments_tests.engines.stand_in import Scripted
from topformer.errors import DataError, EvaluationError, StorageError
from topformer.presets import NANO


def trial(number: int, does: str = "", **changes: object) -> Trial:
    one = Trial(
        study="study",
        number=number,
        candidate=Candidate(design=replace(NANO, num_classes=number + 2), height=128, width=128),
        evaluator=partial(Scripted, does),
        fidelity=fidelity_of(Scripted(does), height=128, width=128, budget=10),
        seed=0,
        origin="sampler",
    )
    return replace(one, **changes)  # type: ignore[arg-type]


class Listed:
    """A source of given trials, with what it was told and how many records were on disk then."""

    def __init__(self, trials: list[Trial], folder: Path) -> None:
        self._trials, self._store = deque(trials), JsonlStore(folder / "records.jsonl")
        self.told: list[tuple[int, State, int]] = []

    @property
    def standing(self) -> Standing:
        return Standing(spent=10 * len(self.told), total=100, text=f"{len(self.told)} told")

    def next(self) -> Trial | None:
        return self._trials.popleft() if self._trials else None

    def tell(self, record: Record) -> None:
        self.told.append((record.trial, record.state, len(list(self._store))))


class Immediate:
    """An engine without processes: what is submitted is done when the loop waits."""

    def __init__(self, places: int = 2) -> None:
        self._places, self._tasks = places, deque[Task]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def free(self) -> int:
        return self._places - self.busy

    @property
    def busy(self) -> int:
        return len(self._tasks)

    def submit(self, task: Task) -> None:
        assert self.free
        self._tasks.append(task)

    def wait(self, interruption: Interruption) -> list[Event]:
        news: list[Iterations] = []
        ended = perform(self._tasks.popleft(), {}, news.append)
        return [*news, ended]


class Diary(NullCallback):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def status(self, standing: Standing) -> None:
        self.lines.append(standing.text)

    def iterations(self, trial: Trial, done: int, total: int) -> None:
        self.lines.append(f"{trial.number}: {done}/{total}")

    def recorded(self, record: Record) -> None:
        self.lines.append(f"{record.trial} {record.state}")

    def dropped(self, trial: Trial) -> None:
        self.lines.append(f"{trial.number} dropped")


def run(folder: Path, trials: list[Trial], callback: NullCallback | None = None, *, places: int = 2) -> Listed:
    source = Listed(trials, folder)
    with RunFolder(folder, {"name": "test"}) as run_folder:
        Loop(source, run_folder, callback or NullCallback()).run(Immediate(places), Interruption())
    return source


def test_a_source_is_told_only_of_what_is_on_disk(tmp_path: Path) -> None:
    source = run(tmp_path, [trial(0), trial(1, "fail"), trial(2)])
    assert source.told == [(0, State.COMPLETE, 1), (1, State.FAILED, 2), (2, State.COMPLETE, 3)]


def test_pruned_trials_are_recorded_without_an_evaluation(tmp_path: Path) -> None:
    source = run(tmp_path, [trial(0, "err", pruned="too slow"), trial(1)])
    assert [(number, state) for number, state, _ in source.told] == [(0, State.PRUNED), (1, State.COMPLETE)]
    first = next(iter(JsonlStore(tmp_path / "records.jsonl")))
    assert (first.reason, first.seconds) == ("too slow", 0.0)
    assert not list((tmp_path / "trials").glob(f"{first.fingerprint}*"))


class Contested(RunFolder):
    """A ledger in which another driver has taken over one trial, and has two looks to go before it has another."""

    looks = 2

    @property
    def waits(self) -> bool:
        return self.looks > 0

    def look(self) -> bool:
        self.looks -= 1
        return self.looks == 0

    def append(self, records: Collection[Record]) -> frozenset[Key]:
        return super().append([record for record in records if record.trial != 0])


def test_what_another_driver_has_taken_over_is_dropped_and_told_to_nobody(tmp_path: Path) -> None:
    source, diary = Listed([trial(0), trial(1)], tmp_path), Diary()
    with Contested(tmp_path, {"name": "test"}) as ledger:
        Loop(source, ledger, diary).run(Immediate(), Interruption())
    assert [number for number, _, _ in source.told] == [1]
    assert [line for line in diary.lines if "dropped" in line or "complete" in line] == ["0 dropped", "1 complete"]


def test_what_another_driver_has_taken_over_is_no_failure_of_the_run(tmp_path: Path) -> None:
    class Lost(Contested):
        def append(self, records: Collection[Record]) -> frozenset[Key]:
            return frozenset()

    diary = Diary()
    with Lost(tmp_path, {"name": "test"}) as ledger:
        source = Listed([trial(number, "fail") for number in range(FAILURES + 1)], tmp_path)
        Loop(source, ledger, diary).run(Immediate(), Interruption())
    assert [line for line in diary.lines if "dropped" in line] == [f"{number} dropped" for number in range(6)]


def test_what_has_ended_when_the_user_stops_is_recorded(tmp_path: Path) -> None:
    interruption = Interruption()

    class Impatient(NullCallback):
        def iterations(self, trial: Trial, done: int, total: int) -> None:
            if trial.number == 1 and not interruption.requested:
                interruption.request()

    source = Listed([trial(0), trial(1), trial(2)], tmp_path)
    with RunFolder(tmp_path, {"name": "test"}) as folder:
        Loop(source, folder, Impatient()).run(Immediate(), interruption)
    assert [number for number, _, _ in source.told] == [0, 1]


def test_a_run_stays_while_others_evaluate_what_it_waits_for(tmp_path: Path) -> None:
    diary = Diary()
    with Contested(tmp_path, {"name": "test"}) as ledger:
        Loop(Listed([], tmp_path), ledger, diary).run(Idle(), Interruption())
    assert ledger.looks == 0
    # Once at the start, once for what the others did.
    assert diary.lines == ["0 told", "0 told"]


class Idle(Immediate):
    """Has nothing to wait for."""

    def wait(self, interruption: Interruption) -> list[Event]:
        return []


def test_many_pruned_trials_are_written_together(tmp_path: Path) -> None:
    diary = Diary()
    source = run(tmp_path, [trial(number, pruned="too slow") for number in range(250)], diary)
    assert diary.lines == ["0 told", "100 told", "200 told", "250 told"]
    assert [on_disk for _, _, on_disk in source.told[::100]] == [100, 200, 250]


def test_a_callback_is_told_in_order(tmp_path: Path) -> None:
    diary = Diary()
    run(tmp_path, [trial(0)], diary)
    assert diary.lines == ["0 told", "0: 0/10", "0: 10/10", "1 told", "0 complete"]


def test_the_first_evaluations_may_not_all_fail(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="the first 5 evaluations failed, the last one because: the loss is not"):
        run(tmp_path, [trial(number, "fail") for number in range(FAILURES + 1)], places=1)
    assert len(list(JsonlStore(tmp_path / "records.jsonl"))) == FAILURES


def test_after_a_success_failures_end_nothing(tmp_path: Path) -> None:
    source = run(tmp_path, [trial(0), *(trial(number, "fail") for number in range(1, FAILURES + 3))])
    assert len(source.told) == FAILURES + 3


def test_what_is_fatal_ends_the_run_without_a_record(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image can be read"):
        run(tmp_path, [trial(0), trial(1, "break"), trial(2)], places=1)
    assert [record.trial for record in JsonlStore(tmp_path / "records.jsonl")] == [0]


def test_a_begun_evaluation_is_noted_before_it_runs(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        run(tmp_path, [trial(4, "break", labels={"width": "128"}, origin="anchor")])
    with RunFolder(tmp_path, {"name": "test"}) as folder:
        (begun,) = folder.begun()
    assert (begun.number, begun.labels, begun.origin) == (4, {"width": "128"}, "anchor")


def test_two_seeds_and_two_budgets_have_folders_of_their_own(tmp_path: Path) -> None:
    one = trial(0)
    shorter = replace(one.fidelity, budget=5)
    with RunFolder(tmp_path, {"name": "test"}) as folder:
        found = {folder.begin(other) for other in (one, replace(one, seed=1), replace(one, fidelity=shorter))}
    assert len(found) == 3


def test_an_interrupted_run_asks_for_nothing_more(tmp_path: Path) -> None:
    source, interruption = Listed([trial(0), trial(1)], tmp_path), Interruption()
    interruption.request()
    with RunFolder(tmp_path, {"name": "test"}) as folder:
        Loop(source, folder, NullCallback()).run(Immediate(), interruption)
    assert source.told == []
    assert source.next() is not None


def test_a_disk_that_takes_no_record_tells_the_source_nothing(tmp_path: Path) -> None:
    source = Listed([trial(0)], tmp_path)
    with RunFolder(tmp_path, {"name": "test"}) as folder:
        (tmp_path / "records.jsonl").mkdir()
        with pytest.raises(StorageError, match="cannot append to"):
            Loop(source, folder, NullCallback()).run(Immediate(), Interruption())
    assert source.told == []


def test_a_run_folder_that_is_removed_or_replaced_is_not_made_again(tmp_path: Path) -> None:
    place = tmp_path / "run"
    with RunFolder(place, {"name": "test"}) as folder:
        record = trial(0).record(State.PRUNED, seconds=0.0)
        folder.append([record])
        shutil.rmtree(place)
        with pytest.raises(StorageError, match="was removed or replaced while the run was using it"):
            folder.append([record])
        (tmp_path / "another").mkdir()
        (tmp_path / "another").rename(place)
        with pytest.raises(StorageError, match="was removed or replaced"):
            folder.begin(trial(1))
        assert list(place.iterdir()) == []

"""What every engine promises: inherit both classes, and override `engine` with one of two workers."""

import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from experiments.engines.engine import Done, Ended, Engine, Event, Failed, Fatal, Interruption, Iterations, Task
from tests.experiments_tests.engines.stand_in import Scripted, is_running, processes, task
from topformer.errors import DataError


class EngineConformance:
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        """Not entered yet; at most two evaluations."""
        raise NotImplementedError

    def test_a_task_is_answered_with_its_accuracy(self, engine: Engine, tmp_path: Path) -> None:
        wanted = task(tmp_path, partial(Scripted, value=61.5), seed=7)
        (event,) = ended(engine, [wanted])
        assert isinstance(event, Done)
        assert event.key == wanted.key
        assert (event.accuracy.value, event.accuracy.seed, event.accuracy.budget) == (61.5, 7, 10)

    def test_the_iterations_are_told_and_the_last_of_them_always(self, engine: Engine, tmp_path: Path) -> None:
        wanted = task(tmp_path, Scripted)
        assert Iterations(wanted.key, 10, 10) in events(engine, [wanted])

    def test_it_counts_what_is_free_and_what_runs(self, engine: Engine, tmp_path: Path) -> None:
        sleeping = partial(Scripted, "sleep")
        with engine:
            assert (engine.free, engine.busy) == (2, 0)
            engine.submit(task(tmp_path, sleeping, seed=0))
            assert (engine.free, engine.busy) == (1, 1)
            engine.submit(task(tmp_path, sleeping, seed=1))
            assert (engine.free, engine.busy) == (0, 2)

    def test_several_evaluators_run_in_one_engine(self, engine: Engine, tmp_path: Path) -> None:
        tasks = [task(tmp_path, partial(Scripted, value=float(value))) for value in range(5)]
        found = {event.key: event.accuracy.value for event in ended(engine, tasks) if isinstance(event, Done)}
        assert found == {one.key: value for value, one in enumerate(tasks)}

    def test_a_failure_is_told_and_others_go_on(self, engine: Engine, tmp_path: Path) -> None:
        failing, scoring = task(tmp_path, partial(Scripted, "fail")), task(tmp_path, Scripted)
        found = {event.key: event for event in ended(engine, [failing, scoring])}
        assert found[failing.key] == Failed(failing.key, "the loss is not finite")
        assert isinstance(found[scoring.key], Done)

    def test_what_spoils_every_evaluation_is_fatal(self, engine: Engine, tmp_path: Path) -> None:
        (event,) = ended(engine, [task(tmp_path, partial(Scripted, "break"))])
        assert isinstance(event, Fatal)
        assert type(event.error) is DataError
        assert str(event.error) == "no image can be read"

    def test_an_evaluation_may_start_processes(self, engine: Engine, tmp_path: Path) -> None:
        wanted = task(tmp_path, partial(Scripted, "load with a child"))
        (event,) = ended(engine, [wanted])
        assert isinstance(event, Done)
        assert (wanted.folder / "loaded").exists()

    def test_a_request_to_stop_ends_the_waiting(self, engine: Engine, tmp_path: Path) -> None:
        with engine, Interruption() as interruption:
            engine.submit(task(tmp_path, partial(Scripted, "sleep")))
            threading.Timer(0.2, interruption.request).start()
            began = time.monotonic()
            while not interruption.requested:
                assert engine.wait(interruption) == []
            assert time.monotonic() - began < 5


class DeathConformance:
    """Of workers and their children."""

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        """As in `EngineConformance`."""
        raise NotImplementedError

    def test_a_worker_that_dies_is_replaced_and_the_task_tried_again(self, engine: Engine, tmp_path: Path) -> None:
        wanted = task(tmp_path, partial(Scripted, "die once"))
        (event,) = ended(engine, [wanted])
        assert isinstance(event, Done)
        assert len(list(wanted.folder.glob("*.process"))) == 2

    @pytest.mark.parametrize(
        ("does", "reason"),
        [
            ("die", "last with signal SIGKILL: a last word"),
            ("die and leave a child", "last with signal SIGKILL: a last word"),
            ("err", "last with exit status 1: ZeroDivisionError: a bug"),
            ("err and leave a child", "last with exit status 1: ZeroDivisionError: a bug"),
        ],
    )
    def test_a_task_that_kills_its_worker_fails_with_the_last_words(
        self, does: str, reason: str, engine: Engine, tmp_path: Path
    ) -> None:
        wanted, other = task(tmp_path, partial(Scripted, does)), task(tmp_path, Scripted)
        found = {event.key: event for event in ended(engine, [wanted, other])}
        failed = found[wanted.key]
        assert isinstance(failed, Failed)
        assert failed.reason.startswith("the worker died 2 times, ")
        assert reason in failed.reason
        assert isinstance(found[other.key], Done)
        wait_for_the_end_of(processes(wanted.folder))

    def test_nothing_runs_after_the_context(self, engine: Engine, tmp_path: Path) -> None:
        wanted = task(tmp_path, partial(Scripted, "sleep with a child"))
        with engine:
            engine.submit(wanted)
            wait_for(wanted.folder, "child")
        found = processes(wanted.folder)
        assert {path.suffix for path in found} == {".process", ".child"}
        wait_for_the_end_of(found)


def events(engine: Engine, tasks: Sequence[Task]) -> list[Event]:
    """Everything that an engine says of the tasks."""
    found: list[Event] = []
    waiting = list(tasks)
    with engine, Interruption() as interruption:
        deadline = time.monotonic() + 120
        while waiting or engine.busy:
            assert time.monotonic() < deadline, "an engine did not answer"
            while waiting and engine.free:
                engine.submit(waiting.pop(0))
            found += engine.wait(interruption)
    return found


def ended(engine: Engine, tasks: Sequence[Task]) -> list[Ended]:
    """What became of the tasks."""
    return [event for event in events(engine, tasks) if not isinstance(event, Iterations)]


def wait_for(folder: Path, kind: str) -> None:
    """Until a process of that kind has said that it runs."""
    deadline = time.monotonic() + 60
    while not list(folder.glob(f"*.{kind}")):
        assert time.monotonic() < deadline, f"no {kind} in {folder}"
        time.sleep(0.01)


def wait_for_the_end_of(processes: Sequence[Path]) -> None:
    """Until none of them runs; what is killed takes a moment to die."""
    deadline = time.monotonic() + 60
    while any(is_running(int(path.stem)) for path in processes):
        assert time.monotonic() < deadline, "a process was left behind"
        time.sleep(0.01)

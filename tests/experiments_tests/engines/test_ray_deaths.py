"""What becomes of evaluations on a Ray cluster when workers, machines or the driver are killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from analysis.records.record import JsonlStore, State
from experiments.engines.engine import Done, Engine, Event, Failed, Interruption, Iterations
from experiments.engines.ray import DEATHS, RayEngine
from experiments.engines.workers import Workers
from experiments.evaluators.base import Accuracy, Progress
from search_space.candidate import Candidate
from tests import ROOT
from tests.experiments_tests.engines.conformance import DeathConformance, wait_for, wait_for_the_end_of
from tests.experiments_tests.engines.ray_cluster import NEEDS_RAY, STORE_BYTES, a_cluster
from tests.experiments_tests.engines.stand_in import Scripted, processes, task

pytestmark = [pytest.mark.slow, NEEDS_RAY]
SLEEPING = partial(Scripted, "sleep with a child")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[Any]:
    with a_cluster(num_cpus=2) as cluster:
        yield cluster


class TestRayDeaths(DeathConformance):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return RayEngine(Workers(count=2), logs=tmp_path / "logs")


class Counting(Scripted):
    """A training of a hundred steps with a checkpoint after each; `beats` names who wrote when."""

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        (folder / f"{os.getpid()}.process").touch()
        checkpoint = folder / "checkpoint"
        first = int(checkpoint.read_text()) if checkpoint.exists() else 0
        for step in range(first, 100):
            time.sleep(0.1)
            with (folder / "beats").open("a") as file:
                file.write(f"{os.getpid()} {step} {time.monotonic()}\n")
            (folder / f"{os.getpid()}.part").write_text(str(step + 1))
            (folder / f"{os.getpid()}.part").replace(checkpoint)
            if progress is not None:
                progress(step + 1, 100)
        return Accuracy(metric=self.metric, value=50.0, source="trained", budget=budget, seed=seed, seconds=10.0)


def wait_until(engine: Engine, found: list[Event], *, steps: int = 0, ended: int = 0) -> None:
    """Until the last news are of so many steps, or so many evaluations have ended."""
    with Interruption() as interruption:
        deadline = time.monotonic() + 240
        while not (
            sum(not isinstance(event, Iterations) for event in found) >= ended
            and any(isinstance(event, Iterations) and event.done >= steps for event in found)
        ):
            assert time.monotonic() < deadline, found[-3:]
            found += engine.wait(interruption)
            assert not [event for event in found if isinstance(event, Failed)]


def beats(folder: Path) -> dict[int, list[tuple[int, float]]]:
    """Steps and times of every process."""
    found: dict[int, list[tuple[int, float]]] = {}
    for line in (folder / "beats").read_text().splitlines():
        process, step, when = line.split()
        found.setdefault(int(process), []).append((int(step), float(when)))
    return found


def test_a_killed_worker_is_seen_at_once_and_its_checkpoint_continues(tmp_path: Path) -> None:
    wanted, notes, found = task(tmp_path, Counting), [], []  # type: ignore[var-annotated]
    with RayEngine(Workers(), logs=tmp_path / "logs", note=notes.append) as engine:
        engine.submit(wanted)
        wait_until(engine, found, steps=10)
        (process,) = processes(wanted.folder)
        actor = psutil.Process(int(process.stem)).parent()
        assert actor is not None
        actor.kill()
        killed = time.monotonic()
        while not notes:
            with Interruption() as interruption:
                found += engine.wait(interruption)
        assert time.monotonic() - killed < 3
        assert engine.busy == 1
        wait_until(engine, found, steps=100, ended=1)
    assert isinstance(found[-1], Done)
    assert "is gone; its evaluation goes on elsewhere" in notes[0]
    (_, first), (_, second) = beats(wanted.folder).items()
    # Nothing is repeated but the step under way, and the first process wrote nothing after its death.
    assert second[0][0] - first[-1][0] in (0, 1)
    assert first[-1][1] < second[0][1]


def test_a_killed_machine_gives_its_evaluation_to_another_one_only_when_it_is_dead(
    tmp_path: Path, cluster: Any
) -> None:
    node = cluster.add_node(num_cpus=3, object_store_memory=STORE_BYTES)
    cluster.wait_for_nodes()
    wanted, notes, found = task(tmp_path, Counting), [], []  # type: ignore[var-annotated]
    # Three cores are on one machine only, until another one joins.
    with RayEngine(Workers(cpus=3), logs=tmp_path / "logs", note=notes.append) as engine:
        engine.submit(wanted)
        wait_until(engine, found, steps=10)
        cluster.remove_node(node, allow_graceful=False)
        other = cluster.add_node(num_cpus=3, object_store_memory=STORE_BYTES)
        wait_until(engine, found, steps=100, ended=1)
    cluster.remove_node(other)
    assert isinstance(found[-1], Done)
    (_, first), (_, second) = beats(wanted.folder).items()
    assert second[0][0] - first[-1][0] in (0, 1)
    assert first[-1][1] < second[0][1]


def test_a_worker_that_does_not_answer_is_not_dead(tmp_path: Path) -> None:
    wanted, found = task(tmp_path, Counting), []  # type: ignore[var-annotated]
    with RayEngine(Workers(count=2), logs=tmp_path / "logs") as engine:
        engine.submit(wanted)
        wait_until(engine, found, steps=10)
        (process,) = processes(wanted.folder)
        actor = psutil.Process(int(process.stem)).parent()
        assert actor is not None
        actor.suspend()
        until = time.monotonic() + 5
        while time.monotonic() < until:
            with Interruption() as interruption:
                assert not any(isinstance(event, Failed) for event in engine.wait(interruption))
        actor.resume()
        wait_until(engine, found, steps=100, ended=1)
    assert isinstance(found[-1], Done)
    assert len(processes(wanted.folder)) == 1


def test_a_worker_that_vanishes_every_time_fails_its_design(tmp_path: Path) -> None:
    wanted, found = task(tmp_path, Counting), []
    with RayEngine(Workers(), logs=tmp_path / "logs") as engine, Interruption() as interruption:
        engine.submit(wanted)
        killed: set[Path] = set()
        while engine.busy:
            for process in set(processes(wanted.folder)) - killed:
                killed.add(process)
                parent = psutil.Process(int(process.stem)).parent()
                assert parent is not None
                parent.kill()
            found += [event for event in engine.wait(interruption) if not isinstance(event, Iterations)]
    (event,) = found
    assert isinstance(event, Failed)
    assert event.is_machines
    assert event.reason.startswith(f"its worker vanished {DEATHS} times, last from ")
    assert len(killed) == DEATHS


def sweep(folder: Path, address: str, *, seconds: float, trials: int = 6) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "tests.experiments_tests.search.stand_in"]
    arguments = [str(folder), str(folder.parent / "log"), str(seconds), str(trials), "2", "journal", address]
    return subprocess.Popen(
        program + arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def lines(log: Path, what: str) -> Counter[str]:
    text = log.read_text() if log.exists() else ""
    return Counter(line.split()[1] for line in text.splitlines() if line.startswith(what))


def wait_for_lines(log: Path, number: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while lines(log, "begin").total() < number:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the sweep did not begin"
        time.sleep(0.05)


def test_a_driver_is_killed_and_started_again(tmp_path: Path, cluster: Any) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    process = sweep(folder, cluster.address, seconds=30)
    wait_for_lines(log, 2, process)
    process.kill()
    process.communicate()
    under_way = set(lines(log, "begin"))
    time.sleep(2)
    again = sweep(folder, cluster.address, seconds=0.2)
    _, errors = again.communicate(timeout=200)
    assert again.returncode == 0, errors
    records = [one for one in JsonlStore(folder / "records.jsonl") if one.state is State.COMPLETE]
    assert len({one.fingerprint for one in records}) == len(records) == 6
    # What was under way was taken up again, and no evaluation of the killed driver came to an end.
    assert under_way <= {one.fingerprint for one in records}
    assert max(lines(log, "end").values()) == 1


def test_ctrl_c_ends_the_run_its_workers_and_nothing_is_printed_by_ray(tmp_path: Path, cluster: Any) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    process = sweep(folder, cluster.address, seconds=30)
    wait_for_lines(log, 2, process)
    os.killpg(process.pid, signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed, errors) == (130, "", "")
    assert lines(log, "end").total() == 0


def test_a_driver_that_is_killed_leaves_no_worker(tmp_path: Path, cluster: Any) -> None:
    driver = multiprocessing.get_context("spawn").Process(target=drive, args=(str(tmp_path), cluster.address))
    driver.start()
    wanted = task(tmp_path, SLEEPING).folder
    wait_for(wanted, "child")
    found = processes(wanted)
    driver.kill()
    driver.join()
    wait_for_the_end_of(found)


def drive(folder: str, address: str) -> None:
    """A driver that a test may kill."""
    wanted = task(Path(folder), SLEEPING)
    logs = Path(folder) / "logs"
    with RayEngine(Workers(), logs=logs, address=address) as engine, Interruption() as interruption:
        engine.submit(wanted)
        while engine.busy:
            engine.wait(interruption)

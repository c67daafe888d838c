"""Worker processes on this machine."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from experiments.engines.engine import Done, Engine, Failed
from experiments.engines.local import LocalEngine
from experiments.engines.silence import Silence
from experiments.engines.workers import Workers
from tests import ROOT
from tests.experiments_tests.engines.conformance import (
    DeathConformance,
    EngineConformance,
    ended,
    wait_for,
    wait_for_the_end_of,
)
from tests.experiments_tests.engines.stand_in import Scripted, Seeing, is_running, processes, task
from topformer.errors import StudyError


class TestLocalEngine(EngineConformance, DeathConformance):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return LocalEngine(Workers(count=2), logs=tmp_path / "logs")


def test_a_worker_makes_each_evaluator_once(tmp_path: Path) -> None:
    makes = [partial(Counted, tmp_path / "made", value) for value in (1.0, 2.0)]
    tasks = [task(tmp_path / str(turn), make) for turn in range(3) for make in makes]
    (tmp_path / "made").write_text("")
    ended(LocalEngine(Workers(), logs=tmp_path / "logs"), tasks)
    assert sorted((tmp_path / "made").read_text().split()) == ["1.0", "2.0"]


class Counted(Scripted):
    """Notes that it was made."""

    def __init__(self, log: Path, value: float) -> None:
        super().__init__(value=value)
        with log.open("a") as file:
            file.write(f"{value}\n")


@pytest.mark.parametrize(
    ("workers", "uses_gpu", "seen", "threads"),
    [
        (Workers(count=2, cpus=3), True, {"4", "7"}, "3"),
        (Workers(count=2, gpus=0.5), True, {"4", "7"}, "1"),
        (Workers(count=2, gpus=0.0), True, {""}, "1"),
        (Workers(count=2), False, {"4,7"}, "1"),
    ],
)
def test_every_worker_sees_its_own_gpus_and_threads(
    workers: Workers, uses_gpu: bool, seen: set[str], threads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.engines.local.gpus_here", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    tasks = [task(tmp_path, Seeing, seed=seed) for seed in (0, 1)]
    ended(LocalEngine(workers, logs=tmp_path / "logs", uses_gpu=uses_gpu), tasks)
    assert {(one.folder / "gpus").read_text() for one in tasks} == seen
    assert {(one.folder / "threads").read_text() for one in tasks} == {threads}


def test_more_workers_than_gpus_are_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.engines.local.gpus_here", lambda: 1)
    with pytest.raises(StudyError, match="got 2 with 1 of a GPU each, and this machine has 1 GPU: 1 of them fit"):
        LocalEngine(Workers(count=2), logs=tmp_path / "logs", uses_gpu=True)


def test_kill_9_of_the_driver_leaves_no_orphan_nor_its_children(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.experiments_tests.engines.stand_in", str(tmp_path)]
    driver = subprocess.Popen(command, cwd=ROOT)
    folders = [task(tmp_path, partial(Scripted, "sleep with a child"), seed=seed).folder for seed in (0, 1)]
    for folder in folders:
        wait_for(folder, "child")
    found = [path for folder in folders for path in processes(folder)]
    assert len(found) == 4
    assert all(is_running(int(path.stem)) for path in found)
    driver.kill()
    driver.wait()
    wait_for_the_end_of(found)


def test_a_worker_that_gives_no_news_is_ended_and_its_task_tried_again(tmp_path: Path) -> None:
    wanted = task(tmp_path, partial(Scripted, "stop once"))
    engine = LocalEngine(Workers(count=1), logs=tmp_path / "logs", silence=partial(Silence, least=2.0))
    (event,) = ended(engine, [wanted])
    assert isinstance(event, Done)
    assert len(processes(wanted.folder)) == 2


def test_a_task_that_stops_every_worker_fails_and_says_so(tmp_path: Path) -> None:
    wanted = task(tmp_path, partial(Scripted, "stop"))
    engine = LocalEngine(Workers(count=1), logs=tmp_path / "logs", silence=partial(Silence, least=2.0))
    (event,) = ended(engine, [wanted])
    assert isinstance(event, Failed)
    assert event.is_machines
    assert event.reason == "the worker died 2 times, last with no news for 2 s"
    wait_for_the_end_of(processes(wanted.folder))


def test_a_worker_that_computes_without_news_goes_on(tmp_path: Path) -> None:
    wanted = task(tmp_path, partial(Scripted, "compute"))
    (event,) = ended(
        LocalEngine(Workers(count=1), logs=tmp_path / "logs", silence=partial(Silence, least=2.0)), [wanted]
    )
    assert isinstance(event, Done)
    assert len(processes(wanted.folder)) == 1

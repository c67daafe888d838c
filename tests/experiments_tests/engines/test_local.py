"""Worker processes on this machine."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from experiments.engines.engine import Engine
from experiments.engines.local import LocalEngine
from experiments.engines.workers import Workers
from tests import ROOT
from tests.experiments_tests.engines.conformance import (
    DeathConformance,
    EngineConformance,
    ended,
    wait_for,
    wait_for_the_end_of,
)
from tests.experiments_tests.engines.stand_in import Scripted, is_running, processes, task


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

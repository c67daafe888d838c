"""Workers of a Ray cluster whose machines are all this one."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from experiments.engines.engine import Done, Engine
from experiments.engines.ray import RayEngine
from experiments.engines.workers import Workers
from tests.experiments_tests.engines.conformance import EngineConformance, ended
from tests.experiments_tests.engines.ray_cluster import NEEDS_RAY, a_cluster
from tests.experiments_tests.engines.stand_in import Seeing, task
from topformer.errors import InputError, StorageError

pytestmark = NEEDS_RAY


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[Any]:
    """Two cores, and what is said to be a GPU."""
    with a_cluster(num_cpus=2, num_gpus=1) as cluster:
        yield cluster


class TestRayEngine(EngineConformance):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return RayEngine(Workers(count=2), logs=tmp_path / "logs")


def test_two_workers_share_a_gpu_where_they_are_told_to(tmp_path: Path) -> None:
    notes: list[str] = []
    tasks = [task(tmp_path, Seeing, seed=seed) for seed in (0, 1)]
    (tmp_path / "logs").mkdir()
    # Left by a driver that was killed.
    (tmp_path / "logs" / ".shared-old").touch()
    engine = RayEngine(Workers(count=2, gpus=0.5), logs=tmp_path / "logs", note=notes.append)
    assert all(isinstance(event, Done) for event in ended(engine, tasks))
    assert [(one.folder / "gpus").read_text() for one in tasks] == ["0", "0"]
    assert {(one.folder / "cwd").read_text() for one in tasks} == {str(Path.cwd())}
    assert notes == []
    # What the workers print is in the run folder, and the file that showed that it is shared is gone.
    logs = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert logs == ["worker-0.log", "worker-1.log"]
    assert "seen" in "".join((tmp_path / "logs" / name).read_text() for name in logs)


def test_a_gpu_is_never_shared_unasked(tmp_path: Path) -> None:
    notes: list[str] = []
    tasks = [task(tmp_path, Seeing, seed=seed) for seed in (0, 1)]
    engine = RayEngine(Workers(count=2), logs=tmp_path / "logs", uses_gpu=True, note=notes.append)
    with engine:
        assert engine.free == 1
    assert notes == ["1 of 2 workers have room; the others start when machines join"]
    assert all(isinstance(event, Done) for event in ended(engine, tasks))


@pytest.mark.parametrize(
    ("wants", "message"),
    [
        ({"cpus": 64}, "cpus = 64 and gpus = 0: the largest have 2 cores and 1 GPUs"),
        ({"gpus": 3}, "cpus = 1 and gpus = 3: the largest have 2 cores and 1 GPUs"),
    ],
)
def test_a_worker_for_which_no_machine_has_room(wants: Mapping[str, Any], message: str, tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=f"no machine of the cluster has room for a worker with {message}"),
        RayEngine(Workers(**wants), logs=tmp_path / "logs"),
    ):
        pass


def test_a_folder_that_is_not_shared_is_noticed_at_the_start(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        # In another process the same path is another place.
        own = Path(f"/proc/self/fd/{descriptor}")
        with (
            pytest.raises(StorageError, match=r"is not there on .*: the run folder and the current folder must be on"),
            RayEngine(Workers(), logs=own),
        ):
            pass
    finally:
        os.close(descriptor)
    assert list(tmp_path.iterdir()) == []

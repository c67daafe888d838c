"""Workers of a Ray cluster whose machines are all this one."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.records.record import JsonlStore
from analysis.results.truth_files import truth_table
from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.engines import engine_maker
from experiments.engines.engine import Done, Engine
from experiments.engines.ray import RayEngine
from experiments.engines.workers import Workers
from experiments.ladder.make import score_designs
from experiments.search.sweep import run_sweep
from experiments.training.supernet.train import RECIPE, train_supernet
from search_space.spaces.space import space
from tests.experiments_tests.engines.conformance import EngineConformance, ended
from tests.experiments_tests.engines.ray_cluster import NEEDS_RAY, a_cluster
from tests.experiments_tests.engines.stand_in import Seeing, task
from tests.experiments_tests.search.halving.ladders import definition as climb
from tests.experiments_tests.search.halving.ladders import makers
from tests.experiments_tests.search.stand_in import definition
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


TINY = {"pooled": ["all"], "head": ["sum"], "width": ["64", "128"], "depth": ["1", "2"], "heads": ["4"]}


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data set of 16 images, and a supernet that was trained on it for two iterations."""
    data = write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4)
    run = tmp_path_factory.mktemp("supernet")
    wanted = space("paper", base="nano", height=64, width=64, only=TINY)
    train_supernet(wanted, replace(RECIPE, iterations=2, batch=4), open_folder(data), run)
    return data, run


def values(path: Path) -> set[tuple[str, int, int, float]]:
    """Design, budget, seed and accuracy of every record."""
    return {
        (one.fingerprint, one.fidelity.budget, one.seed, metric.value)
        for one in JsonlStore(path / "records.jsonl")
        for name, metric in one.metrics.items()
        if "@" in name and not name.startswith("latency")
    }


def test_a_supernet_scores_the_designs_of_a_sweep_and_of_a_table_as_it_does_here(
    tmp_path: Path, supernet: tuple[Path, Path]
) -> None:
    data, run = supernet
    settings = {"run": str(run), "recalibration": 4}
    study = definition(
        objectives=["accuracy", "macs"],
        space={"name": "paper", "base": "nano", "height": 64, "width": 64, "only": TINY},
        evaluator={"kind": "supernet", "data": str(data), "settings": settings},
        workers=2,
    )
    for name, engine in (("here", engine_maker()), ("ray", engine_maker("ray"))):
        assert run_sweep(study, tmp_path / name, engine=engine).status.complete == 4
    assert values(tmp_path / "ray") == values(tmp_path / "here")
    table = truth_table(tmp_path / "ray")
    scored = score_designs(study, tmp_path / "scores", table=table, engine=engine_maker("ray"))
    assert scored.text == "4/4 evaluated"
    assert values(tmp_path / "scores") == values(tmp_path / "here")


def test_every_rung_of_a_ladder_runs_on_the_cluster_its_confirmation_too(tmp_path: Path) -> None:
    # One after the other: of several, who ends first decides who goes on.
    study = climb(workers=1)
    for name, engine in (("here", engine_maker()), ("ray", engine_maker("ray"))):
        (tmp_path / f"of-{name}").mkdir()
        summary = run_sweep(study, tmp_path / name, rungs=makers(tmp_path / f"of-{name}"), engine=engine)
        assert (summary.status.complete, summary.exit_status) == (4, 0)
    assert values(tmp_path / "ray") == values(tmp_path / "here")
    # Two designs with two seeds each.
    assert len([one for one in values(tmp_path / "ray") if one[1] == 20]) == 4

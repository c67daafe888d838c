"""A supernet's training: what it leaves, how it resumes after a kill, and that it learns."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from experiments.data.folders import SegmentationFolder, open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.supernet.train import RECIPE, rebuilt, space_to_json, train_supernet
from experiments.training.supernet.training import soft_loss
from search_space.spaces.space import Space, space
from tests import ROOT
from topformer.errors import EvaluationError, StudyError
from topformer.weights.plain import load_plain

ONLY = {"width": ["64", "128"], "depth": ["1", "2"], "heads": ["2", "4"], "injected": ["8+16+32", "16+32"]}
SMALL = replace(RECIPE, iterations=9, batch=4)
KILLED = """
import os, signal, sys
from pathlib import Path
from experiments.data.folders import open_folder
from experiments.training.settings import Machine
from experiments.training.supernet.train import train_supernet
from tests.experiments_tests.training.supernet.test_train import SMALL, small_space

def progress(done, _):
    if done == 5:
        os.kill(os.getpid(), signal.SIGKILL)

train_supernet(small_space(), SMALL, open_folder(Path(sys.argv[1])), Path(sys.argv[2]), seed=1,
               machine=Machine(checkpoint_every=2), progress=progress)
"""


def small_space() -> Space:
    return space("paper", base="nano", height=64, width=64, only=ONLY)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SegmentationFolder:
    return open_folder(write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4))


@pytest.fixture(scope="module")
def whole(data: SegmentationFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training that nobody stopped."""
    out = tmp_path_factory.mktemp("whole")
    told: list[tuple[int, int]] = []
    train_supernet(small_space(), SMALL, data, out, seed=1, progress=lambda *news: told.append(news))
    assert told == [(i, 9) for i in range(1, 10)]
    return out


def values(out: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_plain(out / "weights.pt")["values"]
    return found


def test_it_leaves_its_description_its_store_and_nothing_to_go_on_from(whole: Path) -> None:
    assert sorted(path.name for path in whole.iterdir()) == [".lock", "result.json", "supernet.json", "weights.pt"]
    assert all(bool(value.isfinite().all()) for value in values(whole).values())


def test_a_killed_training_goes_on_to_the_same_bits(data: SegmentationFolder, whole: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(data.root), str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "checkpoint.pt").exists()
    told: list[int] = []
    train_supernet(small_space(), SMALL, data, tmp_path, seed=1, progress=lambda done, _: told.append(done))
    assert told == [5, 6, 7, 8, 9]
    found, expected = values(tmp_path), values(whole)
    assert found.keys() == expected.keys()
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []


def test_a_finished_training_answers_and_another_is_refused(data: SegmentationFolder, whole: Path) -> None:
    def stop(*_: int) -> None:
        raise AssertionError

    found = train_supernet(small_space(), SMALL, data, whole, seed=1, progress=stop)
    assert (found["iterations"], found["seed"]) == (9, 1)
    with pytest.raises(StudyError, match="holds another training: seed is 1 there and 2 here"):
        train_supernet(small_space(), SMALL, data, whole, seed=2)
    wider = space("paper", base="nano", height=64, width=64, only={**ONLY, "width": ["64", "128", "192"]})
    with pytest.raises(
        StudyError, match=r'space\.axes\.width is \["64", "128"\] there and \["64", "128", "192"\] here'
    ):
        train_supernet(wider, SMALL, data, whole, seed=1)


def test_a_loss_that_is_not_finite_ends_it(data: SegmentationFolder, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"the loss is (nan|inf) at iteration \d+ of 9; a lower learning rate"):
        train_supernet(small_space(), replace(SMALL, learning_rate=1e12), data, tmp_path)
    assert not (tmp_path / "weights.pt").exists()


def test_a_space_is_known_again_by_its_description() -> None:
    wanted = space("paper", base="tiny", height=64, width=96, only={"depth": ["2"]})
    again = rebuilt(space_to_json(wanted))
    assert again.describe() == wanted.describe()
    assert again.base == wanted.base


def test_the_soft_loss_is_the_cross_entropy_with_the_average_over_a_cell() -> None:
    told = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]]])
    logits = torch.tensor([2.0, 0.0]).reshape(1, 2, 1, 1)
    right = torch.tensor([2.0, 0.0]).log_softmax(0)
    assert float(soft_loss(logits, told)) == pytest.approx(float(-(0.5 * right[0] + 0.5 * right[1])))

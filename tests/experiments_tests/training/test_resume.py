"""A training that is killed, wherever that is, goes on to the same bits; nothing foreign is run."""

import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.cli import main
from experiments.data.folders import TRAINING, open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.mmseg.configuration import training_pipeline
from experiments.training.mmseg.data import FolderDataset, build_dataset
from experiments.training.mmseg.draws import Draw, EndlessSampler
from experiments.training.mmseg.runner import last_checkpoint
from experiments.training.train import train
from tests import ROOT
from tests.experiments_tests.training.shared_training import run, small_recipe
from topformer.errors import CheckpointError, DataError, EvaluationError, StorageError, StudyError
from topformer.mmseg import load_plain
from topformer.presets import NANO

pytestmark = pytest.mark.filterwarnings("ignore:Default ``avg_non_ignore`` is False:UserWarning")

SETTINGS: dict[str, Any] = {"iterations": 30, "batch": 4}
"""A checkpoint after every third iteration."""
ALONE = "tests.experiments_tests.training.shared_training"
"""As a module, because a folder beside the file is named `mmseg` too."""
NANO_64 = ["--design", "nano", "--size", "64", "--iterations", "30", "--batch", "4", "--seed", "7"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=14, validation=2)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training that nobody stopped."""
    out = tmp_path_factory.mktemp("whole")
    run(data, out, SETTINGS)
    return out


def killed(data: Path, out: Path, how: str) -> None:
    """Train in a process of its own until it kills itself."""
    command = [sys.executable, "-m", ALONE, str(data), str(out), f'{{"iterations": 30, "batch": 4, {how}}}']
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL


def assert_same_state(one: Any, other: Any, where: str = "") -> None:
    """Two nested states are equal to the bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            assert_same_state(one[name], other[name], f"{where}/{name}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for i, pair in enumerate(zip(one, other, strict=True)):
            assert_same_state(*pair, f"{where}/{i}")
    else:
        assert one == other, where


def assert_same_training(one: Path, other: Path) -> None:
    states = [load_plain(out / "mmseg" / "iter_30.pth") for out in (one, other)]
    for part in ("state_dict", "optimizer", "param_schedulers"):
        assert_same_state(states[0][part], states[1][part], part)
    assert (one / "result.json").read_bytes() == (other / "result.json").read_bytes()


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_killed_at_any_iteration_it_gives_the_same_bits(data: Path, whole: Path, tmp_path: Path, workers: int) -> None:
    iteration = random.SystemRandom().randrange(2, 30)
    print(f"killed after iteration {iteration}")
    killed(data, tmp_path, f'"workers": {workers}, "kill": {iteration}')
    assert not (tmp_path / "result.json").exists()
    # Another number of loading processes changes no draw.
    run(data, tmp_path, SETTINGS | {"workers": 1 if workers else 0})
    assert_same_training(tmp_path, whole)


def test_killed_within_a_checkpoint_it_goes_on_from_the_one_before(data: Path, whole: Path, tmp_path: Path) -> None:
    killed(data, tmp_path, '"half": 9')
    assert [path.name for path in (tmp_path / "mmseg").glob(".iter_9.pth.*")] != []
    assert last_checkpoint(tmp_path / "mmseg") == tmp_path / "mmseg" / "iter_6.pth"
    run(data, tmp_path, SETTINGS)
    assert_same_training(tmp_path, whole)
    assert list((tmp_path / "mmseg").glob(".*")) == []


def test_a_full_disk_is_an_error_and_spoils_nothing(data: Path, whole: Path, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(done: int, _: int) -> None:
        if done == 8:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))

    try:
        with pytest.raises(StorageError, match=r"iter_9\.pth cannot be written: .*File too large"):
            train("mmseg", NANO, small_recipe(**SETTINGS), open_folder(data), tmp_path, seed=7, progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    run(data, tmp_path, SETTINGS)
    assert_same_training(tmp_path, whole)


# Checkpoints from elsewhere


class Runs:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """A training stopped after its third iteration, to be spoilt."""
    return Path(shutil.copytree(stopped_once, tmp_path / "stopped"))


@pytest.fixture(scope="module")
def stopped_once(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def stop(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    out = tmp_path_factory.mktemp("stopped")
    with pytest.raises(KeyboardInterrupt):
        train("mmseg", NANO, small_recipe(**SETTINGS), open_folder(data), out, seed=7, progress=stop)
    return out


@pytest.mark.parametrize("form", ["pickle", "archive"])
def test_a_checkpoint_that_would_run_code_is_refused_in_one_line(
    data: Path, stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    foreign = {"state_dict": {}, "meta": Runs(tmp_path / "ran")}
    path = stopped / "mmseg" / "iter_6.pth"
    if form == "pickle":
        path.write_bytes(pickle.dumps(foreign, protocol=2))
    else:
        torch.save(foreign, path)
    assert main(["train", "--data", str(data), "--out", str(stopped), "--workers", "0", *NANO_64]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "iter_6.pth holds more than tensors and plain data and was not run" in said[0]
    assert not (tmp_path / "ran").exists()


def test_the_configuration_in_a_checkpoint_is_not_run(data: Path, stopped: Path, whole: Path, tmp_path: Path) -> None:
    path = stopped / "mmseg" / "iter_3.pth"
    content = load_plain(path)
    content["meta"]["config"] = f"open({str(tmp_path / 'ran')!r}, 'w')"
    torch.save(content, path)
    run(data, stopped, SETTINGS)
    assert not (tmp_path / "ran").exists()
    assert_same_training(stopped, whole)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("optimizer", r"is no checkpoint of a training; it lacks optimizer"),
        ("backbone.body.pyramid.stem.conv.weight", r"does not fit the network; .*stem\.conv\.weight"),
    ],
)
def test_a_checkpoint_that_lacks_something_is_refused(data: Path, stopped: Path, name: str, message: str) -> None:
    path = stopped / "mmseg" / "iter_3.pth"
    content = load_plain(path)
    (content if name in content else content["state_dict"]).pop(name)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        run(data, stopped, SETTINGS)


def test_a_folder_in_which_nothing_was_trained_gives_way(data: Path, tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text('{"another": 1}\n')
    run(data, tmp_path, {"iterations": 1, "batch": 4})
    with pytest.raises(StudyError, match=r"holds another training: recipe.iterations is 1 there and 2 here; choose"):
        run(data, tmp_path, {"iterations": 2, "batch": 4})


# Draws


def drawn(data: Path) -> FolderDataset:
    return build_dataset(open_folder(data), TRAINING, training_pipeline(small_recipe(**SETTINGS)))


def test_every_image_comes_once_per_epoch_and_skipping_changes_no_draw() -> None:
    sampler = EndlessSampler(range(7), 5)
    draws = list(islice(sampler, 21))
    for epoch in range(3):
        assert sorted(draw.image for draw in draws[7 * epoch : 7 * epoch + 7]) == list(range(7))
    assert draws[:7] != [draw._replace(place=draw.place - 7) for draw in draws[7:14]]
    sampler.skip(12)
    assert list(islice(sampler, 9)) == draws[12:]


def test_processes_share_out_the_draws_of_one() -> None:
    one, *shares = (EndlessSampler(range(7), 5) for _ in range(3))
    for rank, share in enumerate(shares):
        share.rank, share.world_size = rank, 2
        share.skip(2)
    places = sorted(draw for share in shares for draw in islice(share, 4))
    assert places == sorted(islice(one, 4, 12))


def test_an_augmentation_hangs_on_its_place_alone(data: Path) -> None:
    images = drawn(data)
    first = images[Draw(3, 1, 20)]["inputs"]
    np.random.seed(1)  # noqa: NPY002
    assert torch.equal(images[Draw(3, 1, 20)]["inputs"], first)
    assert not torch.equal(images[Draw(3, 1, 21)]["inputs"], first)
    assert not torch.equal(images[Draw(3, 2, 20)]["inputs"], first)


# Broken data


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("folder", ["images", "annotations"])
def test_a_broken_file_is_named_in_one_line(tmp_path: Path, folder: str, workers: int) -> None:
    data = write_tokenworld(tmp_path / "data", size=64, training=4, validation=1)
    broken = sorted((data / folder / "training").iterdir())[1]
    broken.write_bytes(b"nothing that one could see")
    with pytest.raises(DataError, match=rf"{broken.stem}.* cannot be read") as caught:
        run(data, tmp_path / "run", {"iterations": 2, "batch": 4, "workers": workers})
    assert "\n" not in str(caught.value)


def test_a_loss_that_is_not_finite_names_the_iteration_and_its_images(data: Path, tmp_path: Path) -> None:
    diverging = replace(small_recipe(**SETTINGS), learning_rate=1e30)
    with pytest.raises(EvaluationError, match=r"the loss is nan at iteration [23] of 30, on /.*; a lower") as caught:
        train("mmseg", NANO, diverging, open_folder(data), tmp_path, seed=7)
    iteration = int(str(caught.value).split("iteration ")[1][0])
    names = [path.stem for path in sorted((data / "images" / "training").iterdir())]
    wanted = [names[draw.image] for draw in islice(EndlessSampler(names, 7), 4 * iteration - 4, 4 * iteration)]
    assert [Path(path).stem for path in str(caught.value).split(" on ")[1].split(";")[0].split(", ")] == wanted

"""Two processes on CPUs train what one does with the joint batch: gradients, BatchNorm, scores, and after a kill."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, nn
from torch.multiprocessing.spawn import spawn

from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.processes import Ranks, SharedBatchNorm2d, joined_processes, share_statistics
from tests import ROOT
from tests.experiments_tests.training.shared_training import run
from tests.experiments_tests.training.test_resume import assert_same_state
from topformer.errors import StudyError
from topformer.mmseg import load_plain

pytestmark = pytest.mark.filterwarnings("ignore:Default ``avg_non_ignore`` is False:UserWarning")

TORCHRUN = [str(Path(sys.executable).with_name("torchrun")), "--standalone", "--nproc-per-node", "2"]
ALONE = ("-m", "tests.experiments_tests.training.shared_training")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Not a multiple of two images, in both splits.
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=11, validation=3)


def normalised(rank: int, port: int, folder: Path) -> None:
    """One of two processes: half of the batch through a network with shared BatchNorm."""
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    network, maps = batch_norm_example()
    share_statistics(network)
    assert isinstance(network[0], SharedBatchNorm2d)
    half = maps[rank * 2 : rank * 2 + 2].clone().requires_grad_()
    found = network(half)
    example_loss(found, maps[rank * 2 : rank * 2 + 2]).backward()
    torch.save([found.detach(), half.grad, network[0].weight.grad, network.state_dict()], folder / f"{rank}.pt")
    distributed.destroy_process_group()


def batch_norm_example() -> tuple[Any, Any]:
    random = torch.Generator().manual_seed(3)
    network: Any = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()).double()
    with torch.no_grad():
        network[0].weight.copy_(torch.randn(3, generator=random))
        network[0].bias.copy_(torch.randn(3, generator=random))
    return network, 5 + torch.randn(4, 3, 5, 7, generator=random, dtype=torch.float64)


def example_loss(found: Any, maps: Any) -> Any:
    """A sum over images, so that the joint loss is the sum of the shares'."""
    return (found * maps.sin()).sum()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def test_shared_batch_norm_is_that_of_the_joint_batch(tmp_path: Path) -> None:
    spawn(normalised, (free_port(), tmp_path), nprocs=2)  # type: ignore[no-untyped-call]
    network, maps = batch_norm_example()
    joint = maps.clone().requires_grad_()
    found = network(joint)
    example_loss(found, maps).backward()
    shares = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat([share[0] for share in shares]), found.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.cat([share[1] for share in shares]), joint.grad, rtol=0, atol=1e-12)
    torch.testing.assert_close(shares[0][2] + shares[1][2], network[0].weight.grad, rtol=0, atol=1e-12)
    for share in shares:
        torch.testing.assert_close(share[3], network.state_dict(), rtol=0, atol=1e-12)


def buffers_shared(rank: int, port: int, folder: Path) -> None:
    """One of two processes: statistics of its own, then the first one's."""
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    network = nn.BatchNorm2d(3)
    network(torch.full((2, 3, 1, 1), 10.0 + rank) + torch.tensor([0.0, 1.0])[:, None, None, None])
    Ranks(rank=rank, world=2, device=torch.device("cpu")).share_buffers(network)
    torch.save(network.running_mean, folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_processes_that_pre_train_score_with_the_statistics_of_the_first(tmp_path: Path) -> None:
    spawn(buffers_shared, (free_port(), tmp_path), nprocs=2)  # type: ignore[no-untyped-call]
    means = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    # A tenth of the mean of 10 and 11, which are the first one's; the other's are 11 and 12.
    torch.testing.assert_close(means[0], torch.full((3,), 1.05))
    assert torch.equal(means[0], means[1])


def test_processes_without_a_number_on_their_machine_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(StudyError, match="WORLD_SIZE is 2, but LOCAL_RANK is not set"), joined_processes():
        pass


def together(data: Path, out: Path, settings: str) -> int:
    return subprocess.run(
        [*TORCHRUN, *ALONE, str(data), str(out), settings], cwd=ROOT, check=False, stderr=-1
    ).returncode


def test_two_processes_train_as_one_with_the_joint_batch(data: Path, tmp_path: Path) -> None:
    # In float64: what is left is the order of summation, which Adam's division would otherwise magnify.
    settings = {"iterations": 3, "batch": 4, "still": True, "double": True}
    try:
        run(data, tmp_path / "one", settings)
    finally:
        torch.set_default_dtype(torch.float32)
    assert together(data, tmp_path / "two", json.dumps(settings)) == 0
    for checkpoint in ("after_1.pth", "mmseg/iter_3.pth"):
        one, two = (load_plain(tmp_path / name / checkpoint) for name in ("one", "two"))
        torch.testing.assert_close(two["state_dict"], one["state_dict"], rtol=0, atol=1e-7)
        # AdamW's first moment after one iteration is a tenth of the gradient.
        torch.testing.assert_close(two["optimizer"]["state"], one["optimizer"]["state"], rtol=0, atol=1e-7)
    assert (tmp_path / "two" / "result.json").read_bytes() == (tmp_path / "one" / "result.json").read_bytes()


@pytest.mark.slow
def test_two_processes_killed_and_resumed_give_the_same_bits(data: Path, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert together(data, whole, '{"iterations": 20, "batch": 4}') == 0
    assert together(data, stopped, '{"iterations": 20, "batch": 4, "kill": 9}') == 1
    assert not (stopped / "result.json").exists()
    assert together(data, stopped, '{"iterations": 20, "batch": 4}') == 0
    states = [load_plain(out / "mmseg" / "iter_20.pth") for out in (whole, stopped)]
    for part in ("state_dict", "optimizer", "param_schedulers"):
        assert_same_state(states[0][part], states[1][part], part)


@pytest.mark.slow
def test_the_command_prints_once_and_names_what_is_wrong_once(data: Path, tmp_path: Path) -> None:
    topformer = shutil.which("topformer", path=str(Path(sys.executable).parent))
    small = ["--design", "nano", "--size", "64", "--batch", "4", "--workers", "0", "--out", str(tmp_path)]
    command = [*TORCHRUN, str(topformer), "train", "--data", str(data), *small, "--iterations"]
    done = subprocess.run([*command, "2"], capture_output=True, text=True, check=True)
    assert done.stdout.count("mIoU") == 1
    assert done.stdout.count("weights: ") == 1
    refused = subprocess.run([*command, "3"], capture_output=True, text=True, check=False)
    assert refused.stderr.count("holds another training") == 1
    assert "unexpected" not in refused.stderr

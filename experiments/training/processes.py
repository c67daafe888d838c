"""Several processes that share one training, as `torchrun` starts them: on CUDA by NCCL, on CPUs by gloo."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from topformer.errors import MachineError, StudyError

_LOST = ("closed by peer", "reset by peer", "NCCL")
"""In the messages of gloo and NCCL when the other side has gone."""
_SAID = 200
"""Characters of such a message that are shown."""


def rank() -> int:
    """Number of this process among those of the training, from 0."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Processes that share the training."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` takes CUDA where there is one.

    Raises:
        StudyError: CUDA is asked for and there is none.
    """
    cuda = torch.cuda.is_available()
    if name == "cuda" and not cuda:
        raise StudyError("device cuda needs a CUDA device; accepted here: cpu")
    return torch.device("cuda" if cuda and name != "cpu" else "cpu")


@contextmanager
def joined_processes(device: str = "auto") -> Iterator[torch.device]:
    """Join the processes that `torchrun` started, and leave them at the end; a single process has nothing to join.

    Args:
        device: `cpu`, `cuda`, or `auto`, which takes CUDA where there is a device.

    Yields:
        Where this process computes.

    Raises:
        StudyError: CUDA is asked for and there is none, the machine has fewer devices than its processes need, or
            what started the processes does not number those of this machine.
        MachineError: Another process ended.
    """
    chosen = choose_device(device)
    if distributed.is_initialized() or ("LOCAL_RANK" not in os.environ and world_size() == 1):
        yield chosen
        return
    if "LOCAL_RANK" not in os.environ:
        raise StudyError(f"WORLD_SIZE is {world_size()}, but LOCAL_RANK is not set; start the processes with torchrun")
    if chosen.type == "cuda":
        chosen = _own_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield chosen
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _LOST):
            raise
        said = " ".join(str(error).split())[:_SAID]
        raise MachineError(f"process {rank()} lost another of the training, which may say why: {said}") from error
    finally:
        distributed.destroy_process_group()


def _own_device(local_rank: int) -> torch.device:
    if local_rank >= torch.cuda.device_count():
        raise StudyError(f"every process needs a CUDA device of its own; accepted here: {torch.cuda.device_count()}")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def wait_for_all() -> None:
    """Wait until all processes are here."""
    if distributed.is_initialized():
        distributed.barrier()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """This process among those that share a batch.

    Attributes:
        rank: Its number.
        world: How many there are.
        device: Where it computes.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks to the user."""
        return self.rank == 0

    def summed(self, value: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.world > 1:
            distributed.all_reduce(value)
        return value

    def wait(self) -> None:
        """Until all processes are here."""
        wait_for_all()

    def share_buffers(self, module: nn.Module) -> None:
        """Give every process the first one's buffers, BatchNorm's statistics among them."""
        if self.world > 1:
            for buffer in module.buffers():
                distributed.broadcast(buffer, 0)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm over the joint batch of all processes, for tensors that are not on CUDA.

    `torch.nn.SyncBatchNorm` refuses those. In training, mean and variance are those of all processes' (B, C, H, W)
    together, and so are their gradients; the running statistics are then the same everywhere.
    """

    momentum: float

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise (B, C, H, W); in evaluation as BatchNorm does."""
        if not self.training:
            return super().forward(maps)
        count = maps.numel() // maps.shape[1] * distributed.get_world_size()
        mean = _average(maps, count)
        centred = maps - mean[:, None, None]
        variance = _average(centred.square(), count)
        self._track(mean.detach(), variance.detach() * count / max(count - 1, 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked.add_(1)


def _average(maps: Tensor, count: int) -> Tensor:
    """Average of (B, C, H, W) by channel over all processes, (C); summed in double against cancellation."""
    total: Tensor = _Total.apply(maps.sum((0, 2, 3), dtype=torch.float64))  # type: ignore[no-untyped-call]
    return (total / count).to(maps.dtype)


class _Total(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of the gradients, as each enters all sums."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # noqa: ARG004
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


def share_statistics(model: nn.Module) -> None:
    """Make every BatchNorm2d in a model one over all processes, with the parameters and buffers that it has."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm2d

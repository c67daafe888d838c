"""Several processes that share one training, as `torchrun` starts them: on CUDA by NCCL, on CPUs by gloo."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn

from topformer.errors import EvaluationError, StudyError

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


@contextmanager
def joined_processes() -> Iterator[None]:
    """Join the processes that `torchrun` started, and leave them at the end; a single process has nothing to join.

    Raises:
        StudyError: The machine has CUDA devices, but fewer than its processes need.
        EvaluationError: Another process ended.
    """
    if "LOCAL_RANK" not in os.environ or distributed.is_initialized():
        yield
        return
    distributed.init_process_group(_backend(int(os.environ["LOCAL_RANK"])))
    try:
        yield
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _LOST):
            raise
        said = " ".join(str(error).split())[:_SAID]
        raise EvaluationError(f"process {rank()} lost another of the training, which may say why: {said}") from error
    finally:
        distributed.destroy_process_group()


def _backend(local_rank: int) -> str:
    if not torch.cuda.is_available():
        return "gloo"
    if local_rank >= torch.cuda.device_count():
        raise StudyError(f"every process needs a CUDA device of its own; accepted here: {torch.cuda.device_count()}")
    torch.cuda.set_device(local_rank)
    return "nccl"


def wait_for_all() -> None:
    """Wait until all processes are here."""
    if distributed.is_initialized():
        distributed.barrier()


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

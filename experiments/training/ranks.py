"""The processes that share a batch: one, or those that `torchrun` started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from topformer.errors import StudyError


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
        if self.world > 1:
            distributed.barrier()


@contextmanager
def joined(device: str = "auto") -> Iterator[Ranks]:
    """Join the processes that `torchrun` started, with NCCL on CUDA and gloo on a CPU; alone without it.

    Args:
        device: `cpu`, `cuda`, or `auto`, which takes CUDA where there is a device.

    Raises:
        StudyError: CUDA is asked for and there is none.
    """
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise StudyError("device cuda needs a CUDA device; accepted here: cpu")
    kind = "cuda" if cuda and device != "cpu" else "cpu"
    if "LOCAL_RANK" not in os.environ:
        yield Ranks(rank=0, world=1, device=torch.device(kind))
        return
    local = torch.device(kind, int(os.environ["LOCAL_RANK"])) if kind == "cuda" else torch.device(kind)
    if local.type == "cuda":
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield Ranks(rank=distributed.get_rank(), world=distributed.get_world_size(), device=local)
    finally:
        distributed.destroy_process_group()

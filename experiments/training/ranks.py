"""The processes that share a batch: one, or those that `torchrun` started."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from experiments.training.processes import joined_processes, rank, wait_for_all, world_size


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


@contextmanager
def joined(device: str = "auto") -> Iterator[Ranks]:
    """As `joined_processes`, with what this process is among them.

    Raises:
        StudyError, EvaluationError: As there.
    """
    with joined_processes(device) as own:
        yield Ranks(rank=rank(), world=world_size(), device=own)

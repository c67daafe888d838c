"""The workers that a run asks for, as data, and how they share the GPUs of a machine."""

from dataclasses import dataclass, field, replace
from math import floor
from pathlib import Path
from typing import Self

from topformer.bounds import WORKERS
from topformer.errors import StudyError
from topformer.kinds import Number
from topformer.schema import key

_SIGNS_OF_A_GPU = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/dev/kfd"))
"""Devices of the drivers of NVIDIA, of Windows' Linux, and of AMD; without any of them torch need not be loaded."""
ROUNDING = 1e-9
"""Three workers with 0.333 of a GPU each share one, as do three with a third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Evaluations that run beside each other, and what each may use.

    Without `gpus`, an evaluation that can use a GPU gets a whole one where there are any: none is shared unasked.
    """

    count: int = field(default=1, metadata=key(WORKERS, "Evaluations that run beside each other."))
    cpus: float = field(
        default=1.0,
        metadata=key(Number("a number above 0, of at most 1,024", least=0.001, largest=1024), "Cores for each worker."),
    )
    gpus: float | None = field(
        default=None,
        metadata=key(
            Number("a number from 0 to 1,024", least=0, largest=1024), "Whole GPUs, or a share of one, for each worker."
        ),
    )

    def __post_init__(self) -> None:
        if self.gpus is not None and self.gpus > 1 and not float(self.gpus).is_integer():
            raise StudyError(f"gpus must be a whole number where it is above 1, got {self.gpus:g}")

    @property
    def threads(self) -> int:
        """Threads of each worker."""
        return max(1, floor(self.cpus))

    def settled(self, *, uses_gpu: bool, available: int) -> Self:
        """With a number of GPUs.

        Args:
            uses_gpu: Whether the evaluations use a GPU where there is one.
            available: GPUs of the machine or cluster.
        """
        return self if self.gpus is not None else replace(self, gpus=1.0 if uses_gpu and available else 0.0)

    def places(self, gpus: int) -> list[tuple[int, ...]]:
        """For every worker the GPUs that it may use, by their number on this machine.

        Args:
            gpus: How many the machine has.

        Raises:
            StudyError: There are not enough.
        """
        share = self.gpus or 0.0
        if not share:
            return [()] * self.count
        fit = floor(1 / share + ROUNDING) * gpus if share < 1 else gpus // int(share)
        if fit < self.count:
            few = f"{self.count} with {share:g} of a GPU each, and this machine has {gpus} GPU" + "s" * (gpus != 1)
            hint = f"; with gpus = {floor(100 * gpus / self.count) / 100:g} they share" if 0 < gpus < self.count else ""
            raise StudyError(f"workers must fit the GPUs, got {few}: {fit} of them fit{hint}")
        if share >= 1:
            whole = int(share)
            return [tuple(range(i * whole, (i + 1) * whole)) for i in range(self.count)]
        # Round about, so that no GPU is crowded while another one idles.
        return [(i % gpus,) for i in range(self.count)]


def gpus_here() -> int:
    """GPUs of this machine that torch can use."""
    if not any(path.exists() for path in _SIGNS_OF_A_GPU):
        return 0
    import torch

    return torch.cuda.device_count()

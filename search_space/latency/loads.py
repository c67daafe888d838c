"""Loads: what kernels ask of a device, as the few numbers that their time depends on."""

from collections.abc import Iterable, Sequence
from math import log

import numpy as np

from search_space.latency.kernels import Kernel, kernels
from search_space.latency.rates import TERMS
from search_space.latency.spread import Floats
from search_space.operations.operation import Operation

FARTHEST = log(1e6)
"""A network without any convolution is infinitely far on a log scale; a factor of a million is wide enough."""

_GROWS_FASTER = frozenset({"matmul", "softmax", "bilinear"})
_REACH = 4


def terms(kernel: Kernel) -> tuple[float, ...]:
    """The kernel's load, one number per field of `Rates`: MACs, Winograd's products, bytes, bytes, kernels."""
    work, moved = float(kernel.work), float(kernel.moved)
    return (
        0.0 if kernel.winograd else work,
        work if kernel.winograd else 0.0,
        moved if kernel.macs else 0.0,
        0.0 if kernel.macs else moved,
        float(kernel.number),
    )


class Loader:
    """Folds operations to their loads, given the kernels that were measured and their largest outputs."""

    def __init__(self, measured: Sequence[tuple[str, int]]) -> None:
        self._measured = dict(measured)

    def __call__(self, operations: Sequence[Operation]) -> tuple[float, ...]:
        """The load of the operations; loads of the parts of a network add up to that of the network."""
        return self.load(kernels(operations))

    def load(self, found: Iterable[Kernel]) -> tuple[float, ...]:
        """The terms of all kernels, then the terms of those that were never measured: 2 * TERMS numbers."""
        total = [0.0] * (2 * TERMS)
        for kernel in found:
            new = not self.is_measured(kernel)
            for index, amount in enumerate(terms(kernel)):
                total[index] += amount
                total[TERMS + index] += new * amount
        return tuple(total)

    def is_measured(self, kernel: Kernel) -> bool:
        """Whether a measured network ran this kernel.

        A matrix product of two activations, a softmax and a resize change their regime with size, so they count as
        measured only up to four times the largest measured one.
        """
        largest = self._measured.get(kernel.name)
        if largest is None or not kernel.ruled:
            return False
        return kernel.name not in _GROWS_FASTER or kernel.largest <= _REACH * largest


def largest_by_name(found: Iterable[Kernel]) -> tuple[tuple[str, int], ...]:
    """Every kernel name with the numbers in its largest output, sorted."""
    largest: dict[str, int] = {}
    for kernel in found:
        largest[kernel.name] = max(kernel.largest, largest.get(kernel.name, 0))
    return tuple(sorted(largest.items()))


def coordinates(loads: Floats) -> Floats:
    """Log of work, of bytes and of work per byte, (N, 3), of loads (N, >= TERMS): what a fit has a range of."""
    with np.errstate(divide="ignore"):
        work, moved = np.log(loads[:, :2].sum(axis=1)), np.log(loads[:, 2:4].sum(axis=1))
    return np.stack([work, moved, work - moved], axis=1)


def outside(points: Floats, ranges: Floats) -> Floats:
    """Largest distance of each point (N, 3) from the ranges (3, 2), 0 within all of them."""
    excess = np.maximum(ranges[:, 0] - points, points - ranges[:, 1])
    farthest: Floats = np.clip(excess, 0, FARTHEST).max(axis=1)
    return farthest

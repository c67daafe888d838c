"""Features: the few numbers of a kernel that its time depends on, and how far a network lies from those measured."""

from collections.abc import Iterable, Sequence
from math import log

import numpy as np

from search_space.latency.coefficients import FEATURE_COUNT
from search_space.latency.kernels import Kernel, kernels
from search_space.latency.predictive_spread import Floats
from search_space.operations.operation import Operation

FARTHEST = log(1e6)
"""A network without any convolution is infinitely far on a log scale; a factor of a million is wide enough."""

_GROWS_FASTER = frozenset({"matmul", "softmax", "bilinear"})
"""Kernels whose time per number depends on their size."""

_SIZE_RANGE = 4
"""How many times the largest measured output such a kernel may have to count as measured: a choice."""


def kernel_features(kernel: Kernel) -> tuple[float, ...]:
    """One number per field of `Coefficients`: MACs, Winograd's products, bytes of either kind, number of kernels."""
    work, moved = float(kernel.work), float(kernel.moved)
    return (
        0.0 if kernel.winograd else work,
        work if kernel.winograd else 0.0,
        moved if kernel.macs else 0.0,
        0.0 if kernel.macs else moved,
        float(kernel.number),
    )


class FeatureExtractor:
    """Folds operations to their features, given the kernels that were measured and their largest outputs.

    A plain function of the operations of one part, so that the features of thousands of designs are sums of remembered
    ones; see `search_space.cost.table.Fold`.
    """

    def __init__(self, measured: Sequence[tuple[str, int]]) -> None:
        self._measured = dict(measured)

    def __call__(self, operations: Sequence[Operation]) -> tuple[float, ...]:
        """The features of the operations; those of the parts of a network add up to those of the network."""
        return self.of_kernels(kernels(operations))

    def of_kernels(self, network: Iterable[Kernel]) -> tuple[float, ...]:
        """Sums over all kernels, then over those that were never measured: 2 * FEATURE_COUNT numbers."""
        total = [0.0] * (2 * FEATURE_COUNT)
        for kernel in network:
            unmeasured = not self.is_measured(kernel)
            for index, amount in enumerate(kernel_features(kernel)):
                total[index] += amount
                total[FEATURE_COUNT + index] += unmeasured * amount
        return tuple(total)

    def is_measured(self, kernel: Kernel) -> bool:
        """Whether a measured network ran this kernel.

        A matrix product of two activations, a softmax and a resize change their regime with size, so they count as
        measured only up to four times the largest measured one.
        """
        largest = self._measured.get(kernel.name)
        if largest is None or not kernel.ruled:
            return False
        return kernel.name not in _GROWS_FASTER or kernel.largest <= _SIZE_RANGE * largest


def largest_by_name(network: Iterable[Kernel]) -> tuple[tuple[str, int], ...]:
    """Every kernel name with the numbers in its largest output, sorted."""
    largest: dict[str, int] = {}
    for kernel in network:
        largest[kernel.name] = max(kernel.largest, largest.get(kernel.name, 0))
    return tuple(sorted(largest.items()))


def coordinates(features: Floats) -> Floats:
    """Log of work, of bytes and of work per byte, (N, 3), of features (N, FEATURE_COUNT or more)."""
    with np.errstate(divide="ignore"):
        work, moved = np.log(features[:, :2].sum(axis=1)), np.log(features[:, 2:4].sum(axis=1))
    return np.stack([work, moved, work - moved], axis=1)


def outside(points: Floats, ranges: Floats) -> Floats:
    """Largest distance of each point (N, 3) from the ranges (3, 2), 0 within all of them."""
    excess = np.maximum(ranges[:, 0] - points, points - ranges[:, 1])
    farthest: Floats = np.clip(excess, 0, FARTHEST).max(axis=1)
    return farthest

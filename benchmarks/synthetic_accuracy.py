"""Accuracies of the space `paper` that were made up, so that the exact front is known: no network is trained.

Their shapes follow what the paper says of each axis (Tables 2, 3, 6, 7 and 8): most returns diminish, coarse pooling
costs accuracy, and so on. The sizes of the effects are inventions.
"""

from collections.abc import Callable, Mapping
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from search_space.spaces.enumeration import Enumeration

# N designs.

Floats = NDArray[np.float64]

_SCALES = MappingProxyType({4: 0.5, 8: 1.5, 16: 1.2, 32: 0.6})
_STRIDES = MappingProxyType({"s32": 1.15, "s64": 1.0, "s128": 0.5})
_HEADS = MappingProxyType({"sum": 0.0, "sum-depthwise": -0.6, "concat": -0.7})


def smooth(listed: Enumeration) -> Floats:
    """Diminishing returns that depend on each other, and small random effects of pairs of labels: (N,), in % mIoU."""
    return _shape(listed) + _pairs(listed, seed=1, deviation=0.4)


def rugged(listed: Enumeration) -> Floats:
    """The random effects of pairs are as large as all others together: (N,), in % mIoU."""
    return 0.6 * _shape(listed) + _pairs(listed, seed=2, deviation=1.5)


def flat(listed: Enumeration) -> Floats:
    """Nearly nothing matters: (N,), in % mIoU; nine tenths of the variance of an observation are noise."""
    return 30 + 0.05 * _shape(listed) + _pairs(listed, seed=3, deviation=0.05)


def scaling(listed: Enumeration) -> Floats:
    """The logarithm of the MACs decides, and every design deviates by a number of its own: (N,), in % mIoU."""
    own = np.random.default_rng(4).normal(0, 0.2, len(listed))
    size: Floats = np.log2(listed.macs_conv_matmul / listed.macs_conv_matmul.mean())
    return 30 + 3 * size + _pairs(listed, seed=4, deviation=0.3) + own


ACCURACIES: Mapping[str, Callable[[Enumeration], Floats]] = MappingProxyType(
    {"smooth": smooth, "rugged": rugged, "flat": flat, "scaling": scaling}
)
"""By the name that `python -m benchmarks.sampler_quality --accuracy` takes."""
NOISE = 0.3
"""Standard deviation between seeds, in % mIoU."""


def _shape(listed: Enumeration) -> Floats:
    labels = _columns(listed)
    numbers = {name: labels[name].astype(float) for name in ("width", "depth", "heads")}
    grid = _looked_up(labels["pool_stride"], _STRIDES)
    scales = np.array([sum(_SCALES[int(scale)] for scale in text.split("+")) for text in labels["injected"]])
    blocks = 1 - np.exp(-numbers["depth"] / 3)
    semantics = 4 * blocks * grid + 1.2 * blocks * (1 - np.exp(-numbers["heads"] / 4))
    channels = 1 - np.exp(-numbers["width"] / 100)
    injection = 4 * (1 - np.exp(-scales / 2)) * (0.5 + channels)
    pooled = -1.2 * (labels["pooled"] == "last") * blocks
    return np.asarray(26 + semantics + injection + pooled + _looked_up(labels["head"], _HEADS), dtype=np.float64)


def _columns(listed: Enumeration) -> dict[str, NDArray[np.str_]]:
    axes = enumerate(listed.space.axes)
    return {axis.name: np.array(axis.labels)[listed.choices[:, place]] for place, axis in axes}


def _looked_up(labels: NDArray[np.str_], table: Mapping[str, float]) -> Floats:
    return np.array([table[label] for label in labels.tolist()])


def _pairs(listed: Enumeration, *, seed: int, deviation: float) -> Floats:
    """A random number for each pair of labels of two axes, summed: (N,), of that standard deviation."""
    random, axes = np.random.default_rng(seed), listed.space.axes
    total = np.zeros(len(listed))
    for left, right in combinations(range(len(axes)), 2):
        table = random.standard_normal((len(axes[left].labels), len(axes[right].labels)))
        total += table[listed.choices[:, left], listed.choices[:, right]]
    return np.asarray(total * (deviation / total.std()), dtype=np.float64)

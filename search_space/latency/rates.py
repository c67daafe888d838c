"""Rates: what a unit of each load costs on a device, from few measurements and the shape of a well-known device."""

from typing import NamedTuple

import numpy as np

from search_space.latency.spread import Floats
from topformer.errors import InputError

NOISE = 0.03
"""Relative error of a measured network that a fit allows for: the first of two choices that only matter together."""

LOOSENESS = 0.3
"""Relative deviation of a rate from the shape that costs a fit as much as a row that is off by its noise.

Of 0.1, 0.2, 0.3, 0.5, 1 and 10 this one gives the least error when left out, on average over the shipped devices: 7.3,
6.8, 6.6, 6.7, 6.7 and 6.9 %.
"""


HUBER = 1.345
"""Errors of so many times a row's noise count by their size, smaller ones by their square.

Huber's choice, 95 % as sharp as least squares where errors are normal (Huber, 1981). Of Table 1's rows SegFormer and
HRNet are such.
"""

_ROUNDS, _SETTLED = 100, 1e-6


class Rates(NamedTuple):
    """What a unit of each load costs; none is negative.

    Attributes:
        ms_per_gmac: Milliseconds per 1e9 MACs of a matrix product; an output of a depthwise
            convolution is `kernels.DEPTHWISE_OUTPUT` more.
        ms_per_winograd_gmac: Milliseconds per 1e9 products and transforms of Winograd's algorithm.
        ms_per_gb: Milliseconds per 1e9 bytes that convolutions and matrix products read and write.
        ms_per_gb_carried: Milliseconds per 1e9 bytes of all other kernels, whose data are often still in the cache.
        us_per_kernel: Microseconds to start a kernel.
    """

    ms_per_gmac: float
    ms_per_winograd_gmac: float
    ms_per_gb: float
    ms_per_gb_carried: float
    us_per_kernel: float

    def scaled(self, factor: float) -> "Rates":
        """Every rate times the factor."""
        return Rates(*(rate * factor for rate in self))

    @property
    def per_unit(self) -> Floats:
        """Milliseconds per unit of each load: (TERMS,)."""
        per_unit: Floats = np.array(self) / _UNITS
        return per_unit


TERMS = len(Rates._fields)
"""Numbers in a load."""

_UNITS = np.array([1e9, 1e9, 1e9, 1e9, 1e3])

SHAPE = Rates(45.868, 45.868, 58.546, 37.939, 6.339)
"""The rates of `snapdragon-855`, fitted without any shape to its 41 networks of 7 families (Paddle-Lite, fp32)."""


def solve(loads: Floats, times: Floats, noise: Floats, shape: Rates | None = SHAPE) -> Rates:
    """The rates of least relative error, squared up to `HUBER` times the noise and by its size beyond.

    With a shape the rates are drawn towards its proportions, which is what makes a few rows enough; the overall speed
    is free. Without one, every load must be told by the rows, but Winograd's: if no row has it, its products cost
    what others do.

    Args:
        loads: (N, TERMS) or more columns, of which the first are used.
        times: (N,), milliseconds.
        noise: (N,), relative error that each row is allowed.
        shape: Rates of another device.

    Raises:
        InputError: Without a shape, rows that cannot tell the rates apart.
    """
    weights = np.ones(len(times))
    for _ in range(_ROUNDS):
        rates = _least_squares(loads, times, noise / np.sqrt(weights), shape)
        missed = np.abs(loads[:, :TERMS] @ rates.per_unit / times - 1) / noise
        before, weights = weights, HUBER / np.maximum(missed, HUBER)
        if np.abs(weights - before).max() < _SETTLED:
            break
    return rates


def _least_squares(loads: Floats, times: Floats, noise: Floats, shape: Rates | None) -> Rates:
    from scipy.optimize import nnls  # here, because only a fit needs it and it takes a fifth of a second to load

    rows = loads[:, :TERMS] / _UNITS / times[:, None] / noise[:, None]
    if shape is None:
        return _without_shape(rows, 1 / noise)
    drawn = np.concatenate([np.diag(1 / np.array(shape)), -np.ones((TERMS, 1))], axis=1) / LOOSENESS
    matrix = np.concatenate([np.pad(rows, ((0, 0), (0, 1))), drawn])
    target = np.concatenate([1 / noise, np.zeros(TERMS)])
    return Rates(*nnls(matrix, target)[0][:TERMS].tolist())


def _without_shape(rows: Floats, target: Floats) -> Rates:
    from scipy.optimize import nnls

    winograd = bool(rows[:, 1].any())
    matrix = rows if winograd else np.delete(rows, 1, axis=1)
    scale = np.abs(matrix).max(axis=0)
    if not scale.all() or np.linalg.matrix_rank(matrix / np.where(scale, scale, 1), tol=1e-6) < matrix.shape[1]:
        raise InputError(f"{len(rows)} measured networks cannot tell the {matrix.shape[1]} rates apart without a shape")
    found = nnls(matrix, target)[0].tolist()
    return Rates(*found) if winograd else Rates(found[0], *found)

"""The coefficients of a device: what a unit of each feature costs, from few measurements and a well-known device."""

from typing import NamedTuple

import numpy as np

from search_space.latency.predictive_spread import Floats
from topformer.errors import InputError

NOISE = 0.03
"""Relative error of a measured network that a fit allows for: the first of two choices that only matter together."""

LOOSENESS = 0.3
"""Relative deviation of a coefficient from the shape that costs a fit as much as a row that is off by its noise.

Of 0.1, 0.2, 0.3, 0.5, 1 and 10 this one gives the least error when left out, on average over the shipped devices: 7.3,
6.8, 6.6, 6.7, 6.7 and 6.9 %.
"""

HUBER = 1.345
"""Errors of so many times a row's noise count by their size, smaller ones by their square.

Huber's choice, 95 % as sharp as least squares where errors are normal (Huber, 1981). Of Table 1's rows SegFormer and
HRNet are such.
"""

_ROUNDS, _SETTLED = 100, 1e-6


class Coefficients(NamedTuple):
    """What a unit of each feature costs, one field per feature; none is negative.

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

    def scaled(self, factor: float) -> "Coefficients":
        """Every coefficient times the factor: a device that is that much slower."""
        return Coefficients(*(coefficient * factor for coefficient in self))

    @classmethod
    def from_per_unit(cls, per_unit: Floats) -> "Coefficients":
        """Those that `per_unit` gives."""
        return cls(*(per_unit * _UNITS).tolist())

    @property
    def per_unit(self) -> Floats:
        """Milliseconds per unit of each feature: (FEATURE_COUNT,)."""
        per_unit: Floats = np.array(self) / _UNITS
        return per_unit


FEATURE_COUNT = len(Coefficients._fields)
"""Features of a kernel."""

_UNITS = np.array([1e9, 1e9, 1e9, 1e9, 1e3])

SHAPE = Coefficients(45.868, 45.868, 58.546, 37.939, 6.339)
"""Those of `snapdragon-855`, fitted without any shape to its 41 networks of 7 families (Paddle-Lite, fp32)."""


def solve(features: Floats, times: Floats, noise: Floats, shape: Coefficients | None = SHAPE) -> Coefficients:
    """The coefficients of least relative error, squared up to `HUBER` times the noise and by its size beyond.

    With a shape the coefficients are drawn towards its proportions, which is what makes a few rows enough; the overall
    speed is free. Without one, the rows must determine every coefficient but Winograd's: if no row has such products,
    they cost what others do.

    Args:
        features: (N, FEATURE_COUNT) or more columns, of which the first are used.
        times: (N,), milliseconds.
        noise: (N,), relative error that each row is allowed.
        shape: Coefficients of another device.

    Raises:
        InputError: Without a shape, rows that do not determine the coefficients.
    """
    # Reweighting turns least squares into Huber's loss: a row beyond the threshold keeps the pull it has there.
    weights = np.ones(len(times))
    for _ in range(_ROUNDS):
        coefficients = _least_squares(features, times, noise / np.sqrt(weights), shape)
        residuals = np.abs(features[:, :FEATURE_COUNT] @ coefficients.per_unit / times - 1) / noise
        before, weights = weights, HUBER / np.maximum(residuals, HUBER)
        if np.abs(weights - before).max() < _SETTLED:
            break
    return coefficients


def _least_squares(features: Floats, times: Floats, noise: Floats, shape: Coefficients | None) -> Coefficients:
    from scipy.optimize import nnls  # here, because only a fit needs it and it takes a fifth of a second to load

    rows = features[:, :FEATURE_COUNT] / _UNITS / times[:, None] / noise[:, None]
    if shape is None:
        return _without_shape(rows, 1 / noise)
    # One more unknown, the overall speed s, and a row per coefficient: c_i / shape_i - s = 0, up to the looseness.
    drawn = np.concatenate([np.diag(1 / np.array(shape)), -np.ones((FEATURE_COUNT, 1))], axis=1) / LOOSENESS
    matrix = np.concatenate([np.pad(rows, ((0, 0), (0, 1))), drawn])
    target = np.concatenate([1 / noise, np.zeros(FEATURE_COUNT)])
    return Coefficients(*nnls(matrix, target)[0][:FEATURE_COUNT].tolist())


def _without_shape(rows: Floats, target: Floats) -> Coefficients:
    from scipy.optimize import nnls

    # An all-zero column would make the system singular, so Winograd's leaves it where no row has such products.
    winograd = bool(rows[:, 1].any())
    matrix = rows if winograd else np.delete(rows, 1, axis=1)
    scale = np.abs(matrix).max(axis=0)
    if not scale.all() or np.linalg.matrix_rank(matrix / np.where(scale, scale, 1), tol=1e-6) < matrix.shape[1]:
        raise InputError(
            f"{len(rows)} measured networks do not determine the {matrix.shape[1]} coefficients without a shape"
        )
    solved = nnls(matrix, target)[0].tolist()
    return Coefficients(*solved) if winograd else Coefficients(solved[0], *solved)

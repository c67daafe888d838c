"""A Gaussian process over the labels and costs of designs.

The covariance of two designs is a sum, as in the additive Gaussian processes of Duvenaud, Nickisch and Rasmussen
(NeurIPS 2011) with their first, second and last order: a straight line in the logarithms of the costs, one effect per
axis, one per pair of axes, and an interaction of all axes. The equations are those of Rasmussen and Williams, Gaussian
Processes for Machine Learning (GPML, 2006), chapters 2 and 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import Bounds, minimize

# N designs, A axes, T trends, n observations.

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Places = NDArray[np.intp]
Choices = NDArray[np.int16]

LEAST_NOISE = 1e-4
"""Smallest variance of the noise, as a share of the variance of the observations; keeps the factor stable."""
STEPS = 25
"""Most iterations of a fit; each starts from the one before."""
WORK = 2000
"""Observations times iterations of a fit, at most; the time of one grows faster than with the observations."""

_SCALES = ("trend", "effects", "pairs", "interaction", "noise")
# The prior: logarithms are normal around these, with these standard deviations.
_CENTRES = np.log([0.5, 0.5, 0.3, 0.2, 0.02])
_WIDTHS = np.array([1.0, 1.0, 1.0, 1.0, 1.5])
_LENGTH_WIDTH = 0.8
_REACH = 4


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What the process sees of N designs.

    Attributes:
        choices: (N, A), place of each axis's label; -1 where the axis does not apply.
        trends: (N, T), numbers along which the accuracy may rise in a straight line, each about as wide as 1.
    """

    choices: Choices
    trends: Floats

    def __len__(self) -> int:
        return len(self.choices)

    def at(self, places: Sequence[int]) -> "Inputs":
        """Those of some designs."""
        chosen = np.asarray(places, dtype=np.intp)
        return Inputs(self.choices[chosen], self.trends[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """The covariance of two designs, in units of the variance of the observations.

    Attributes:
        distances: Per axis, the squared distances of its labels; the last row and column stand for "does not apply".
        lengths: (A,), distance over which the labels of an axis say something about each other.
        trend: Variance of the mean and the slopes together.
        effects: Variance of the effects of single axes together.
        pairs: Variance of the effects of pairs of axes together.
        interaction: Variance of the interaction of all axes.
        noise: Variance between observations of one design.
    """

    distances: tuple[Floats, ...]
    lengths: Floats
    trend: float
    effects: float
    pairs: float
    interaction: float
    noise: float

    def covariances(self, left: Inputs, right: Inputs) -> Singles:
        """Of every design of the one with every design of the other: (len(left), len(right))."""
        axes = len(self.distances)
        product = np.full((len(left), len(right)), self.interaction, dtype=np.float32)
        first, squares = np.zeros_like(product), np.zeros_like(product)
        for axis, table in enumerate(self._similarities()):
            # To wrap around is to find the last row and column for place -1, "does not apply".
            similar = table[left.choices[:, axis]].take(right.choices[:, axis], axis=1, mode="wrap")
            product *= similar
            first += similar
            squares += similar * similar
        # The square of the sum less the sum of the squares is twice the sum over pairs.
        product += (first * first - squares) * np.float32(self.pairs / (axes * (axes - 1) or 1))
        product += first * np.float32(self.effects / axes)
        line = self.trend / (1 + left.trends.shape[1]) * (1 + left.trends @ right.trends.T)
        product += line.astype(np.float32)
        return product

    def variances(self, inputs: Inputs) -> Floats:
        """Of every design, without noise: (N,)."""
        line = (1 + (inputs.trends**2).sum(axis=1)) * (self.trend / (1 + inputs.trends.shape[1]))
        pairs = self.pairs if len(self.distances) > 1 else 0.0
        return np.asarray(line + self.effects + pairs + self.interaction, dtype=np.float64)

    def _similarities(self) -> list[Singles]:
        scaled = zip(self.distances, self.lengths, strict=True)
        return [np.exp(-0.5 * table / length**2).astype(np.float32) for table, length in scaled]


def initial(distances: Sequence[Floats]) -> Kernel:
    """The centre of the prior: the kernel before anything is observed.

    The lengths grow with the square root of the number of axes, so that many axes do not make strangers of every two
    designs (Hvarfner, Hellsten and Nardi, Vanilla Bayesian optimization performs great in high dimensions, ICML 2024).
    """
    return _kernel(tuple(distances), _centre(len(distances)))


def fitted(start: Kernel, inputs: Inputs, values: Floats, noise: float | None = None) -> Kernel:
    """The kernel of the greatest posterior density, as far as some iterations come.

    Args:
        start: Where the search for it begins.
        inputs: Of the observed designs, n of them.
        values: (n,), of about unit variance.
        noise: Variance of the noise, where it is known; else it is learnt.
    """
    density = _Density(start.distances, inputs, values)
    begin = np.log(np.concatenate([start.lengths, [getattr(start, name) for name in _SCALES]]))
    low, high = density.centre - _REACH * density.width, density.centre + _REACH * density.width
    low[-1] = max(low[-1], np.log(LEAST_NOISE))
    if noise is not None:
        low[-1] = high[-1] = np.log(max(noise, LEAST_NOISE))
    found = minimize(
        density.negative_log,
        np.clip(begin, low, high),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(low, high),
        options={"maxiter": min(STEPS, max(1, WORK // len(values)))},
    )
    return _kernel(start.distances, found.x)


class _Density:
    """The posterior density of the logarithms of a kernel's lengths and variances."""

    def __init__(self, distances: tuple[Floats, ...], inputs: Inputs, values: Floats) -> None:
        self._values = values
        self._line = (1 + inputs.trends @ inputs.trends.T) / (1 + inputs.trends.shape[1])
        columns = zip(distances, inputs.choices.T, strict=True)
        self._apart = np.stack([table[np.ix_(column, column)] for table, column in columns])
        self.centre = _centre(len(distances))
        self.width = np.concatenate([np.full(len(distances), _LENGTH_WIDTH), _WIDTHS])

    def negative_log(self, logs: Floats) -> tuple[float, Floats]:
        """Its negative logarithm but for a constant, and the gradient; GPML, equations 2.30 and 5.9."""
        trend, effects, pairs, interaction, noise = np.exp(logs[-len(_SCALES) :])
        scaled = self._apart * np.exp(-2 * logs[: -len(_SCALES)])[:, None, None]
        similar = np.exp(-0.5 * scaled)
        axes, total = len(similar), similar.sum(axis=0)
        per_axis, per_pair = effects / axes, pairs / (axes * (axes - 1) or 1)
        product = interaction * np.exp(-0.5 * scaled.sum(axis=0))
        parts = [trend * self._line, per_axis * total, per_pair * (total**2 - (similar**2).sum(axis=0)), product]
        parts.append(noise * np.eye(len(self._values)))
        factor = cholesky(sum(parts), lower=True)
        weights = cho_solve((factor, True), self._values)
        inner = cho_solve((factor, True), np.eye(len(weights))) - np.outer(weights, weights)
        away = (logs - self.centre) / self.width
        value = 0.5 * self._values @ weights + np.log(np.diag(factor)).sum() + 0.5 * away @ away
        slopes = similar * (per_axis + 2 * per_pair * (total - similar)) + product
        by_length = np.einsum("aij,aij,ij->a", scaled, slopes, inner)
        by_scale = [(inner * part).sum() for part in parts]
        return float(value), 0.5 * np.concatenate([by_length, by_scale]) + away / self.width


def _centre(axes: int) -> Floats:
    return np.concatenate([np.full(axes, np.log(0.4 * np.sqrt(axes))), _CENTRES])


def _kernel(distances: tuple[Floats, ...], logs: Floats) -> Kernel:
    scales = dict(zip(_SCALES, np.exp(logs[-len(_SCALES) :]).tolist(), strict=True))
    return Kernel(distances, np.exp(logs[: -len(_SCALES)]), **scales)


class Posterior:
    """Mean and variance of N designs, brought up to date with each observation in O(n N).

    An observation adds one row to the Cholesky factor of the covariances of the observed designs. Its product with the
    covariances of all designs is kept, and holds that factor in the columns of the observed designs.

    Attributes:
        mean: (N,).
        variance: (N,), without noise.
        observed: Places of the observed designs, in order; a design may be observed several times.
    """

    def __init__(self, kernel: Kernel, inputs: Inputs) -> None:
        self._kernel, self._inputs = kernel, inputs
        self._rows: Singles = np.empty((8, len(inputs)), dtype=np.float32)
        self.mean: Floats = np.zeros(len(inputs))
        self.variance = kernel.variances(inputs)
        self.observed: list[int] = []

    def restart(self, places: Sequence[int], values: Sequence[float]) -> None:
        """Forget all observations, and take these: as one after the other, but faster."""
        inputs = self._inputs.at(places)
        among = self._kernel.covariances(inputs, inputs).astype(np.float64)
        factor = cholesky(among + self._kernel.noise * np.eye(len(places)), lower=True)
        across = self._kernel.covariances(inputs, self._inputs)
        self._rows = np.asarray(solve_triangular(factor.astype(np.float32), across, lower=True), dtype=np.float32)
        residuals = solve_triangular(factor, np.asarray(values, dtype=np.float64), lower=True)
        self.mean = (residuals.astype(np.float32) @ self._rows).astype(np.float64)
        explained = np.einsum("ij,ij->j", self._rows, self._rows)
        self.variance = self._kernel.variances(self._inputs) - explained
        self.observed = list(places)

    def observe(self, place: int, value: float) -> None:
        """One more observation, of the design at that place."""
        count = len(self.observed)
        if count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        scale = float(np.sqrt(max(self.variance[place], 0.0) + self._kernel.noise))
        row = self._kernel.covariances(self._inputs.at([place]), self._inputs)[0]
        row -= self._rows[:count, place] @ self._rows[:count]
        row /= np.float32(scale)
        self._rows[count] = row
        self.mean = self.mean + (value - self.mean[place]) / scale * row
        self.variance = self.variance - row * row
        self.observed.append(place)

    def believe(self, places: Sequence[int]) -> tuple[Floats, Floats]:
        """Mean and variance as if designs were observed to have their means; nothing is kept.

        The heuristic "kriging believer" of Ginsbourger, Le Riche and Carraro (Kriging is well-suited to parallelize
        optimization, 2010).
        """
        mean, variance, count = self.mean, self.variance, len(self.observed)
        for place in places:
            self.observe(place, float(self.mean[place]))
        believed = self.mean, self.variance
        self.mean, self.variance = mean, variance
        del self.observed[count:]
        return believed

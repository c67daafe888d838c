"""How far a predicted latency may be off: log-Student-t intervals with few degrees of freedom."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]

LEVEL = 0.95
"""Probability of an interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictiveSpread:
    """The three sources of error of a prediction, as log(measured / predicted).

    Attributes:
        left_out: Mean squared error of the fitted rows, each predicted by a fit without it.
        degrees: Its degrees of freedom: rows less coefficients.
        unmeasured: Squared error per share of the predicted time in kernels that no fitted row had, from networks
            that were measured on the same device and never fitted.
        unmeasured_degrees: The number of those networks.
        extrapolation: Error per log distance outside the fitted range, from the rows that lay outside when left out.
    """

    left_out: float
    degrees: int
    unmeasured: float
    unmeasured_degrees: int
    extrapolation: float

    def sd_log(self, uncovered: Floats, distance: Floats) -> Floats:
        """Scale of the Student t distribution of the log, with `degrees` degrees of freedom.

        The half-widths of the 95 % intervals of the three sources add in squares, each taken with its own degrees
        of freedom; more of any source never narrows the interval.

        Args:
            uncovered: Share of the predicted time in kernels never measured, 0 to 1.
            distance: Log distance outside the fitted range, 0 within.
        """
        left_out, unmeasured, extrapolation = self.variances(uncovered, distance)
        return np.sqrt(left_out + unmeasured + extrapolation)

    def variances(self, uncovered: Floats, distance: Floats) -> tuple[float, Floats, Floats]:
        """What each of the three sources adds to the square of `sd_log`, whose arguments these are."""
        # `sd_log` is read with the degrees of the left-out rows, so the other source is scaled to its own quantile.
        relative = _quantile(self.unmeasured_degrees) / _quantile(self.degrees)
        return self.left_out, relative**2 * self.unmeasured * uncovered, (self.extrapolation * distance) ** 2


def _quantile(degrees: int) -> float:
    return float(stdtrit(degrees, 0.5 + LEVEL / 2))


def interval(milliseconds: Floats, sd_log: Floats, degrees: int) -> tuple[Floats, Floats]:
    """Lower and upper end of the 95 % interval."""
    half = _quantile(degrees) * sd_log
    return milliseconds * np.exp(-half), milliseconds * np.exp(half)


def probability_above(limit_ms: float, milliseconds: Floats | float, sd_log: Floats | float, degrees: int) -> Floats:
    """Probability that the latency exceeds the limit: 1 for a limit of 0 or less."""
    times = np.asarray(milliseconds, dtype=np.float64)
    if limit_ms <= 0:
        return np.ones_like(times)
    return np.asarray(stdtr(degrees, np.log(times / limit_ms) / sd_log))

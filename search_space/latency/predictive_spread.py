"""How far a predicted latency may be off: log-Student-t intervals with few degrees of freedom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]

LEVEL = 0.95
"""Probability of an interval."""

OWN, OWN_DEGREES = 0.0228**2, 34
"""Squared log error of a single network beside the mean error of its construction, and its degrees of freedom.

From the 41 networks of 7 families of snapdragon-855, widths and sizes of MobileNetV1 to PP-LCNet, each predicted by a
fit without its family. The four SeaFormers on snapdragon-865, which are in no fit, scatter by 0.015 around their mean.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictiveSpread:
    """The sources of error of a prediction, as log(measured / predicted).

    Attributes:
        left_out: Mean squared error of the fitted rows, each predicted by a fit without it.
        degrees: Its degrees of freedom: rows less coefficients.
        unmeasured: Squared error per share of the predicted time in kernels that no fitted row had, from networks
            that were measured on the same device and never fitted.
        unmeasured_degrees: The number of those networks.
        extrapolation: Error per log distance outside the fitted range, from the rows that lay outside when left out.
        own: Squared error of a single network beside the mean error of its construction: what is not shared of
            `left_out`.
        own_degrees: Its degrees of freedom.
    """

    left_out: float
    degrees: int
    unmeasured: float
    unmeasured_degrees: int
    extrapolation: float
    own: float = OWN
    own_degrees: int = OWN_DEGREES

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

    @property
    def as_normal(self) -> tuple[float, float]:
        """What single networks scatter by, and the factor that makes squares of `sd_log` such.

        Both are squares of normal distributions of equal 95 % interval, which can be added, drawn and compared.
        """
        return (_quantile(self.own_degrees) / _NORMAL) ** 2 * self.own, (_quantile(self.degrees) / _NORMAL) ** 2

    def widened(self, variance: float, degrees: int) -> "PredictiveSpread":
        """With one more source of error, of so many degrees of freedom, in every prediction."""
        return replace(self, left_out=self.left_out + self._read_as_left_out(degrees) * variance)

    def _read_as_left_out(self, degrees: int) -> float:
        """What turns a variance of so many degrees into one of equal half-width with those of the left-out rows.

        `sd_log` is read with the degrees of the left-out rows, whatever the source.
        """
        return (_quantile(degrees) / _quantile(self.degrees)) ** 2

    def variances(self, uncovered: Floats, distance: Floats) -> tuple[float, Floats, Floats]:
        """What each of the three sources adds to the square of `sd_log`, whose arguments these are."""
        unmeasured = self._read_as_left_out(self.unmeasured_degrees) * self.unmeasured * uncovered
        return self.left_out, unmeasured, (self.extrapolation * distance) ** 2


def pooled(errors: Floats, groups: Sequence[str]) -> tuple[float, int]:
    """What single networks are off by beside the mean of their group, pooled with `OWN`: the square, and its degrees.

    Args:
        errors: (N,), log errors.
        groups: The construction of each.
    """
    squares, seen = OWN_DEGREES * OWN, OWN_DEGREES
    for group in dict.fromkeys(groups):
        own = errors[[name == group for name in groups]]
        squares += float(((own - own.mean()) ** 2).sum())
        seen += len(own) - 1
    return squares / seen, seen


def _quantile(degrees: float) -> float:
    return float(stdtrit(degrees, 0.5 + LEVEL / 2))


_NORMAL = _quantile(np.inf)


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

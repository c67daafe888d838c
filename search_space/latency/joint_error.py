"""How far the predictions for several networks are off together, and how far each is off alone.

The error of a prediction has two parts. One is that of the device: what its products and bytes cost, what kinds of
kernels cost that were never timed, what lies outside the range. It moves all designs by about one factor, so it matters
against a limit and hardly between two designs. The other is of the single design.
"""

import numpy as np

from search_space.latency.coefficients import FEATURE_COUNT
from search_space.latency.predictive_spread import Floats, PredictiveSpread

_COMMON = [2 * FEATURE_COUNT, 2 * FEATURE_COUNT + 1]
"""The directions of what comes after the logits, and of extrapolation."""


def directions(
    features: Floats, ending_ms: Floats | float, per_unit: Floats, variances: tuple[Floats | float, Floats, Floats]
) -> Floats:
    """The log error of each prediction as a sum over independent causes: (N, 2 * FEATURE_COUNT + 2).

    The squares of a row add up to the variances: that of measured kernels goes along the shares of time of the five
    features, that of kernels never measured along theirs and that of the ending, and that of extrapolation along one
    more direction. Networks that spend their time on the same things are off by the same factor.

    Args:
        features: What `FeatureExtractor` gave: (N, 2 * FEATURE_COUNT).
        ending_ms: What comes after the logits, which no fitted network had: (N,), milliseconds.
        per_unit: Milliseconds per unit of each feature.
        variances: What `PredictiveSpread.variances` gave.
    """
    left_out, unmeasured, extrapolation = (np.clip(one, 0, None) for one in variances)
    measured = features[:, :FEATURE_COUNT] - features[:, FEATURE_COUNT:]
    never = np.column_stack([features[:, FEATURE_COUNT:] * per_unit, np.broadcast_to(ending_ms, len(features))])
    return np.concatenate(
        [
            np.sqrt(left_out) * _unit(measured * per_unit),
            np.sqrt(unmeasured)[:, None] * _unit(never),
            np.sqrt(extrapolation)[:, None],
        ],
        axis=1,
    )


def shared_and_own(rows: Floats, reference: Floats, spread: PredictiveSpread) -> tuple[Floats, Floats]:
    """The error that all designs share, and that of each design alone: standard deviations of the log, (N,) each.

    They are those of normal distributions and together give the 95 % interval. Shared is what a row of `directions`
    has along the reference, and what the ending and extrapolation add: the ending is the same in every design, and what
    lies outside the range is off the same way. A design's own is the rest, and what single networks scatter by beside
    the mean of their construction. That takes the rests of two designs as independent, though designs that are alike
    have them in common: it claims rather less than is known.

    Args:
        rows: What `directions` gave.
        reference: The row of the network that stands for all designs.
        spread: Of the device.
    """
    scatter, per_square = spread.as_normal
    total = per_square * (rows**2).sum(axis=1)
    along = np.delete(rows, _COMMON, axis=1) @ _unit(np.delete(reference, _COMMON)[None])[0]
    alike = per_square * (along**2 + (rows[:, _COMMON] ** 2).sum(axis=1))
    # The scatter is part of the whole, not more of it.
    shared = np.minimum(alike, np.clip(total - scatter, 0, None))
    return np.sqrt(shared), np.sqrt(total - shared)


def _unit(rows: Floats) -> Floats:
    """Each row divided by its length; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.where(lengths > 0, lengths, 1)
    return unit

"""A device model from few measurements: the coefficients of a known device, times one factor."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from search_space.latency.calibration.fitting import MeasuredNetwork
from search_space.latency.coefficients import FEATURE_COUNT
from search_space.latency.features import coordinates
from search_space.latency.model import DeviceModel, LeftOutRow, Setup
from search_space.latency.predictive_spread import Floats
from topformer.errors import InputError

TRANSFER = 0.13
"""Log error of a scaled network where the measurements cannot tell it.

Root mean square over six networks, each left out: Nano, Tiny, Small and Base at 512 px, Tiny and Base at 256 px, on
one core of an x86 server, scaled from snapdragon-865. It was 0.08 with onnxruntime 1.32 and 0.17 with ncnn 1.0.
"""

TRANSFER_DEGREES = 5
"""Its degrees of freedom: those six networks less the factor."""


def transfer(prior: DeviceModel, rows: Sequence[MeasuredNetwork], setup: Setup) -> DeviceModel:
    """The model of a device of which too few networks were timed to fit its coefficients.

    All coefficients are those of the prior times one factor, the geometric mean of what the rows say, each by its
    noise. The interval is that of the prior, widened by the error of scaling, in which `TRANSFER` and what the rows
    disagree in are pooled, and by what few rows leave open of the factor; each with its own degrees of freedom.
    Within the range are the networks of the prior and the rows.

    Args:
        prior: A device whose work and bytes cost in a similar proportion.
        rows: Networks timed on the new device, at least one.
        setup: How they were measured.

    Raises:
        InputError: There are no rows.
    """
    if not rows:
        raise InputError("scaling a device needs at least one measured network, got none")
    features = np.array([prior.feature_extractor.of_kernels(row.kernels) for row in rows])
    per_unit = prior.coefficients.per_unit
    before = features[:, :FEATURE_COUNT] @ per_unit
    # One factor in logs: its mean is the geometric mean, and every row pulls by its relative error.
    logs = np.log(np.array([row.latency_ms for row in rows]) / before)
    weights = np.array([row.noise for row in rows]) ** -2.0
    factor = float(np.exp(np.average(logs, weights=weights)))
    left_out = [float(before[i] * np.exp(_others(logs, weights, i))) for i in range(len(rows))]
    covered = 1 - features[:, FEATURE_COUNT:] @ per_unit / before
    return replace(
        prior,
        setup=setup,
        coefficients=prior.coefficients.scaled(factor),
        spread=prior.spread.widened(*_transfer_variance(logs)),
        ranges=_with_rows(prior.ranges, coordinates(features)),
        rows=tuple(
            LeftOutRow(
                name=row.name,
                measured_ms=row.latency_ms,
                predicted_ms=float(plain * factor),
                left_out_ms=without,
                coverage=float(share),
                family=row.family,
                macs=sum(kernel.macs for kernel in row.kernels),
            )
            for row, plain, without, share in zip(rows, before, left_out, covered, strict=True)
        ),
        others=(),
    )


def _others(logs: Floats, weights: Floats, index: int) -> float:
    """Log factor of all rows but one; that of the prior itself where there is no other."""
    if len(logs) == 1:
        return 0.0
    return float(np.average(np.delete(logs, index), weights=np.delete(weights, index)))


def _transfer_variance(logs: Floats) -> tuple[float, int]:
    """Of one more network, the uncertainty of the factor included; and its degrees of freedom."""
    seen = len(logs) - 1
    squares = float(np.sum((logs - logs.mean()) ** 2))
    pooled = (TRANSFER_DEGREES * TRANSFER**2 + squares) / (TRANSFER_DEGREES + seen)
    return pooled * (1 + 1 / len(logs)), TRANSFER_DEGREES + seen


def _with_rows(ranges: Sequence[tuple[float, float]], points: Floats) -> tuple[tuple[float, float], ...]:
    """The ranges, with the rows' coordinates (rows, coordinates) in them."""
    lows, highs = points.min(axis=0), points.max(axis=0)
    return tuple(
        (min(low, float(least)), max(high, float(most)))
        for (low, high), least, most in zip(ranges, lows, highs, strict=True)
    )

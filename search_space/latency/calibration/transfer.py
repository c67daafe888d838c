"""A device model from few measurements: the coefficients of a known device, times one factor."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from search_space.latency.calibration.fitting import MeasuredNetwork
from search_space.latency.coefficients import FEATURE_COUNT
from search_space.latency.model import DeviceModel, LeftOutRow, Setup
from search_space.latency.predictive_spread import Floats
from topformer.errors import InputError

TRANSFER = 0.13
"""Log error of a scaled network where the measurements cannot tell it.

Root mean square over six networks, each left out: Nano, Tiny, Small and Base at 512 px, Tiny and Base at 256 px, on
one core of an x86 server, scaled from snapdragon-865. It was 0.08 with onnxruntime 1.32 and 0.17 with ncnn 1.0.
"""


def transfer(prior: DeviceModel, rows: Sequence[MeasuredNetwork], setup: Setup) -> DeviceModel:
    """The model of a device of which too few networks were timed to fit its coefficients.

    All coefficients are those of the prior times one factor, the geometric mean of what the rows say. The interval is
    that of the prior, widened by what the rows disagree in, at least by `TRANSFER`, and by what few rows leave open of
    the factor.

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
    factor = float(np.exp(logs.mean()))
    left_out = [float(before[i] * np.exp(_others(logs, i))) for i in range(len(rows))]
    covered = 1 - features[:, FEATURE_COUNT:] @ per_unit / before
    return replace(
        prior,
        setup=setup,
        coefficients=prior.coefficients.scaled(factor),
        spread=replace(prior.spread, left_out=prior.spread.left_out + _transfer_variance(logs)),
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


def _others(logs: Floats, index: int) -> float:
    """Log factor of all rows but one; that of the prior itself where there is no other."""
    rest = np.delete(logs, index)
    return float(rest.mean()) if len(rest) else 0.0


def _transfer_variance(logs: Floats) -> float:
    """Squared log error of one more network: what the rows disagree in, and what so few leave open of the factor."""
    observed = float(np.var(logs, ddof=1)) if len(logs) > 1 else 0.0
    return max(observed, TRANSFER**2) * (1 + 1 / len(logs))

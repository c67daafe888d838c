"""Fitting a device model to measured latencies; the error of leaving each row out is always computed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_space.candidate import Candidate
from search_space.cost.closed_form import operations
from search_space.latency.kernels import Kernel, Loader, kernels, largest_by_name
from search_space.latency.model import Checked, DeviceModel, Setup, coordinates, outside
from search_space.latency.spread import Floats, Spread
from topformer.errors import InputError

RATES = 2
"""Coefficients of the model."""

REPEATS = 1e-3
"""Log error below which no fit is believed: a clock and a scheduler do not repeat better."""

NOT_KNOWN = 1.0
"""Log error per unit where no measurement tells it: a choice, wider than anything that was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A network that was timed on a device.

    Attributes:
        name: What to call it.
        latency_ms: The time of one image, in milliseconds.
        kernels: What the device ran.
        source: Where the time comes from.

    Raises:
        InputError: The latency is no finite number above 0, or there are no kernels.
    """

    name: str
    latency_ms: float
    kernels: tuple[Kernel, ...]
    source: str = ""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.latency_ms) and self.latency_ms > 0):
            raise InputError(f"latency_ms of {self.name!r} must be a finite number above 0, got {self.latency_ms!r}")
        if not self.kernels:
            raise InputError(f"kernels of {self.name!r} must hold at least one kernel, got none")


def measured(candidate: Candidate, latency_ms: float, *, name: str = "", source: str = "") -> Measured:
    """A candidate that was timed up to its logits."""
    found = tuple(kernels(operations(candidate.design, candidate.height, candidate.width)))
    return Measured(name=name or candidate.fingerprint, latency_ms=latency_ms, kernels=found, source=source)


def fit(rows: Sequence[Measured], setup: Setup, others: Sequence[Measured] = ()) -> DeviceModel:
    """The model of a device from networks that were timed on it.

    The rates are not negative and minimise the squared relative error over the rows. Every row is also predicted
    by a fit without it, and these errors are the model's own measure of itself.

    Args:
        rows: At least three networks whose work and bytes are not all in one proportion.
        setup: How they were measured.
        others: Timed networks that are not fitted: what they are off by widens the interval of any network with
            kernels that `rows` did not have. Without them a network that shares no kernel with `rows` is taken to
            be off by a factor of e.

    Raises:
        InputError: Too few rows, or rows that cannot tell the two rates apart.
    """
    if len(rows) <= RATES:
        raise InputError(f"a fit needs at least {RATES + 1} measured networks, got {len(rows)}")
    known = largest_by_name(kernel for row in rows for kernel in row.kernels)
    loader = Loader(known)
    loads = np.array([loader.load(row.kernels) for row in rows])
    times = np.array([row.latency_ms for row in rows])
    rates = _rates(loads, times)
    left_out = [_without(index, loads, times) for index in range(len(rows))]
    points = coordinates(loads)
    other_loads = np.array([loader.load(row.kernels) for row in others]).reshape(-1, loads.shape[1])
    return DeviceModel(
        setup=setup,
        ms_per_gmac=float(rates[0]),
        ms_per_gb=float(rates[1]),
        measured=known,
        ranges=tuple(
            (float(low), float(high)) for low, high in zip(points.min(axis=0), points.max(axis=0), strict=True)
        ),
        spread=_spread(np.log(times / left_out), points, other_loads, np.array([r.latency_ms for r in others]), rates),
        rows=_checked(rows, loads, rates, left_out),
        others=_checked(others, other_loads, rates, (other_loads[:, :2] @ rates / 1e9).tolist()),
    )


def _rates(loads: Floats, times: Floats) -> Floats:
    """Milliseconds per GMAC and per GB, neither negative, of least squared relative error."""
    from scipy.optimize import nnls  # here, because only a fit needs it and it takes a fifth of a second to load

    matrix = loads[:, :RATES] / 1e9 / times[:, None]
    if np.linalg.matrix_rank(matrix, tol=1e-6 * float(np.abs(matrix).max())) < RATES:
        raise InputError("the measured networks must differ in work per byte, got rows that are all in one proportion")
    found: Floats = nnls(matrix, np.ones(len(times)))[0]
    return found


def _without(index: int, loads: Floats, times: Floats) -> float:
    """What a fit without that row predicts for it."""
    rates = _rates(np.delete(loads, index, axis=0), np.delete(times, index))
    return float(loads[index, :RATES] @ rates / 1e9)


def _spread(errors: Floats, points: Floats, other_loads: Floats, other_times: Floats, rates: Floats) -> Spread:
    variance = max(float(np.mean(errors**2)), REPEATS**2)
    predicted = other_loads[:, :RATES] @ rates / 1e9
    uncovered = other_loads[:, RATES:] @ rates / 1e9 / predicted
    other_errors = np.log(other_times / predicted)
    return Spread(
        left_out=variance,
        degrees=len(errors) - RATES,
        unmeasured=float(np.sum(other_errors**2) / np.sum(uncovered)) if uncovered.any() else NOT_KNOWN,
        unmeasured_degrees=max(1, len(other_errors)),
        reach=_reach(errors, points),
    )


def _reach(errors: Floats, points: Floats) -> float:
    """Log error per log distance of the rows that lie outside the range of all others."""
    distances = []
    for index in range(len(points)):
        rest = np.delete(points, index, axis=0)
        ranges = np.stack([rest.min(axis=0), rest.max(axis=0)], axis=1)
        distances.append(float(outside(points[index : index + 1], ranges)[0]))
    far = np.array(distances) > 0
    if not far.any():
        return NOT_KNOWN
    return float(np.sqrt(np.sum(errors[far] ** 2) / np.sum(np.array(distances)[far] ** 2)))


def _checked(rows: Sequence[Measured], loads: Floats, rates: Floats, left_out: Sequence[float]) -> tuple[Checked, ...]:
    return tuple(
        Checked(
            name=row.name,
            measured_ms=row.latency_ms,
            predicted_ms=float(load[:RATES] @ rates / 1e9),
            left_out_ms=without,
            coverage=1 - float(load[RATES:] @ rates / (load[:RATES] @ rates)),
        )
        for row, load, without in zip(rows, loads, left_out, strict=True)
    )

"""Fitting a device model to measured latencies; the errors of leaving rows and families out are always computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from search_space.candidate import Candidate
from search_space.cost.closed_form import operations
from search_space.latency.coefficients import FEATURE_COUNT, NOISE, SHAPE, Coefficients, solve
from search_space.latency.features import FeatureExtractor, coordinates, largest_by_name, outside
from search_space.latency.kernels import Kernel, kernels
from search_space.latency.model import DeviceModel, LeftOutRow, Setup
from search_space.latency.predictive_spread import Floats, PredictiveSpread, pooled
from topformer.errors import InputError

EFFECTIVE_PARAMETERS = 2
"""What few rows determine of the coefficients: a speed, and how much of it goes to bytes; the rest is the shape.

A fit needs more rows than these; its degrees of freedom are the rows less these, or the families less one."""

BESIDE = 0.1
"""Relative error that networks beside the rows are allowed: they tell what a kernel costs that no row has, and hardly
move the coefficients that the rows determine."""

LEAST_FAMILIES = 3
"""Families from which errors are those of leaving a whole family out: what is predicted is of a family of its own."""

NEARLY_ALL = 0.95
"""Coverage from which a held-out network says how far new constructions of known kernels are off."""

ENOUGH = 30
"""Rows from which a device determines every coefficient by itself."""

TOPFORMER = "TopFormer"
"""The family of every candidate."""

REPEATS = 1e-3
"""Log error below which no fit is believed: a clock and a scheduler do not repeat better."""

NOT_KNOWN = 1.0
"""Log error per log distance where no measurement tells it: a choice, wider than anything that was seen."""

FASTEST = 5e9
"""MACs per millisecond, 5e12 per second, that no core reaches: a time that says so is in another unit."""

UNMEASURED = (0.32, 8)
"""Squared log error per share of the time in kernels that no row has, and the number of networks that say so, where a
device has none beside its rows: those of snapdragon-865, the networks of the paper's Table 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredNetwork:
    """A network that was timed on a device.

    Attributes:
        name: What to call it.
        latency_ms: The time of one image, in milliseconds.
        kernels: What the device ran.
        source: Where the time comes from.
        family: Networks of one construction, such as all widths of MobileNetV2.
        noise: Relative error that a fit allows the time.

    Raises:
        InputError: The latency is no finite number above 0 or cannot be in milliseconds, or there are no kernels.
    """

    name: str
    latency_ms: float
    kernels: tuple[Kernel, ...]
    source: str = ""
    family: str = ""
    noise: float = NOISE

    def __post_init__(self) -> None:
        if not (np.isfinite(self.latency_ms) and self.latency_ms > 0):
            raise InputError(f"latency_ms of {self.name!r} must be a finite number above 0, got {self.latency_ms!r}")
        if not self.kernels:
            raise InputError(f"kernels of {self.name!r} must hold at least one kernel, got none")
        macs = sum(kernel.macs for kernel in self.kernels)
        if macs / self.latency_ms > FASTEST:
            rate = f"{macs / 1e9:.3g} GMACs would be {macs / self.latency_ms / 1e9:.3g} TMACs per second"
            raise InputError(
                f"latency_ms of {self.name!r} must be in milliseconds, got {self.latency_ms:g}: {rate}, more than any "
                "core computes"
            )


def measured_candidate(candidate: Candidate, latency_ms: float, *, name: str = "", source: str = "") -> MeasuredNetwork:
    """A candidate that was timed up to its logits."""
    graph = tuple(kernels(operations(candidate.design, candidate.height, candidate.width)))
    name = name or candidate.fingerprint
    return MeasuredNetwork(name=name, latency_ms=latency_ms, kernels=graph, source=source, family=TOPFORMER)


def shape_for(rows: Sequence[MeasuredNetwork]) -> Coefficients | None:
    """The shape that a fit to these rows needs, or None where they determine every coefficient."""
    return None if len(rows) >= ENOUGH else SHAPE


def fit(
    rows: Sequence[MeasuredNetwork],
    setup: Setup,
    others: Sequence[MeasuredNetwork] = (),
    *,
    shape: Coefficients | None = SHAPE,
) -> DeviceModel:
    """The model of a device from networks that were timed on it.

    The coefficients minimise the relative error over the rows, drawn towards the proportions of `shape`; see
    `search_space.latency.coefficients.solve`. Every row is also predicted by a fit without it and by a fit without its
    family, and these errors are the model's own measure of itself.

    Args:
        rows: At least three networks.
        setup: How they were measured.
        others: Timed networks of other families. They count little in the fit, and what they are off by widens the
            interval of any network with kernels that `rows` did not have; without them `UNMEASURED` does.
        shape: Coefficients of another device; None where the rows determine every coefficient.

    Raises:
        InputError: Too few rows, or without a shape rows that do not determine the coefficients.
    """
    if len(rows) <= EFFECTIVE_PARAMETERS:
        raise InputError(f"a fit needs at least {EFFECTIVE_PARAMETERS + 1} measured networks, got {len(rows)}")
    measured_kernels = largest_by_name(kernel for row in rows for kernel in row.kernels)
    features = _features([*rows, *others], FeatureExtractor(measured_kernels))
    points = coordinates(features[: len(rows)])
    timed = _Timed.of([*rows, *others], features, len(rows), shape)
    coefficients = timed.solve()
    # One fit per row; a prediction by a fit that saw the row would say nothing of a new network.
    left_out = [timed.without([index])[0] for index in range(len(rows) + len(others))]
    family_out = _family_out(rows, timed)
    compared = _left_out_rows([*rows, *others], timed.features, coefficients, left_out, family_out)
    fitted, beside = compared[: len(rows)], compared[len(rows) :]
    return DeviceModel(
        setup=setup,
        coefficients=coefficients,
        measured=measured_kernels,
        ranges=tuple(
            (float(low), float(high)) for low, high in zip(points.min(axis=0), points.max(axis=0), strict=True)
        ),
        spread=_predictive_spread(fitted, points, beside),
        rows=fitted,
        others=beside,
    )


def with_constructions(model: DeviceModel, held_out: Sequence[MeasuredNetwork]) -> DeviceModel:
    """The model with an interval that covers networks of new constructions, which its coefficients never saw.

    Leaving one of few rows out says little of a detector: so where held-out networks of enough families were timed,
    the mean square of their errors is the width, if it is greater. Those count whose kinds of kernels are nearly all
    known; the others are wide by their share of unknown kinds.
    """
    if len({row.family or row.name for row in held_out}) < LEAST_FAMILIES:
        return model
    table = model.predict(_features(held_out, model.feature_extractor))
    errors = np.log(np.array([row.latency_ms for row in held_out]) / table.milliseconds)
    telling = errors[table.coverage >= NEARLY_ALL]
    if len(telling) < LEAST_FAMILIES or np.mean(telling**2) <= model.spread.left_out:
        return model
    spread = replace(model.spread, left_out=float(np.mean(telling**2)), degrees=len(telling))
    return replace(model, spread=spread)


def _features(rows: Sequence[MeasuredNetwork], extractor: FeatureExtractor) -> Floats:
    return np.array([extractor.of_kernels(row.kernels) for row in rows]).reshape(-1, 2 * FEATURE_COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    """The rows of a fit as arrays: features, times, and the relative error that each is allowed."""

    features: Floats
    times: Floats
    noise: Floats
    shape: Coefficients | None

    @classmethod
    def of(cls, rows: Sequence[MeasuredNetwork], features: Floats, own: int, shape: Coefficients | None) -> "_Timed":
        """The arrays of networks, the first `own` of which are fitted closely; the rest, beside them, count little."""
        noise = np.array([row.noise if index < own else BESIDE for index, row in enumerate(rows)])
        return cls(features=features, times=np.array([row.latency_ms for row in rows]), noise=noise, shape=shape)

    def solve(self, left_out: Sequence[int] = ()) -> Coefficients:
        """The coefficients that all rows give, but for those left out."""
        features, times, noise = (np.delete(part, left_out, axis=0) for part in (self.features, self.times, self.noise))
        return solve(features, times, noise, self.shape)

    def without(self, indices: Sequence[int]) -> list[float]:
        """What a fit without those rows predicts for them, in milliseconds."""
        predicted: list[float] = (self.features[indices, :FEATURE_COUNT] @ self.solve(indices).per_unit).tolist()
        return predicted


def _family_out(rows: Sequence[MeasuredNetwork], timed: _Timed) -> dict[int, float]:
    """Index of a row to what a fit without its family predicts for it; empty where there are too few families."""
    families = [row.family or row.name for row in rows]
    if len(set(families)) < LEAST_FAMILIES:
        return {}
    predicted = dict[int, float]()
    for family in dict.fromkeys(families):
        indices = [index for index, name in enumerate(families) if name == family]
        predicted.update(zip(indices, timed.without(indices), strict=True))
    return predicted


def _predictive_spread(rows: Sequence[LeftOutRow], points: Floats, beside: Sequence[LeftOutRow]) -> PredictiveSpread:
    # The stricter error of each row: without its whole family, where there are enough families.
    errors = np.log([row.measured_ms / (row.family_out_ms or row.left_out_ms) for row in rows])
    families = len({row.family for row in rows})
    uncovered = sum(1 - row.coverage for row in beside)
    squared = sum(float(np.log(row.measured_ms / row.left_out_ms)) ** 2 for row in beside)
    per_share, degrees = (squared / uncovered, len(beside)) if uncovered else UNMEASURED
    own, own_degrees = pooled(errors, [row.family for row in rows])
    return PredictiveSpread(
        left_out=max(float(np.mean(errors**2)), REPEATS**2),
        degrees=max(1, families - 1 if families >= LEAST_FAMILIES else len(rows) - EFFECTIVE_PARAMETERS),
        unmeasured=per_share,
        unmeasured_degrees=degrees,
        extrapolation=_extrapolation(errors, points),
        own=own,
        own_degrees=own_degrees,
    )


def _extrapolation(errors: Floats, points: Floats) -> float:
    """Log error per log distance of the rows that lie outside the range of all others."""
    # A row at the border lies outside the range of the others: it is a test of extrapolation that costs nothing.
    distances = []
    for index in range(len(points)):
        rest = np.delete(points, index, axis=0)
        ranges = np.stack([rest.min(axis=0), rest.max(axis=0)], axis=1)
        distances.append(float(outside(points[index : index + 1], ranges)[0]))
    far = np.array(distances) > 0
    if not far.any():
        return NOT_KNOWN
    return float(np.sqrt(np.sum(errors[far] ** 2) / np.sum(np.array(distances)[far] ** 2)))


def _left_out_rows(
    rows: Sequence[MeasuredNetwork],
    features: Floats,
    coefficients: Coefficients,
    left_out: Sequence[float],
    family_out: Mapping[int, float],
) -> tuple[LeftOutRow, ...]:
    predicted = features[:, :FEATURE_COUNT] @ coefficients.per_unit
    coverage = 1 - features[:, FEATURE_COUNT:] @ coefficients.per_unit / predicted
    return tuple(
        LeftOutRow(
            name=row.name,
            measured_ms=row.latency_ms,
            predicted_ms=float(predicted[index]),
            left_out_ms=left_out[index],
            coverage=float(coverage[index]),
            family=row.family or row.name,
            family_out_ms=family_out.get(index),
            macs=sum(kernel.macs for kernel in row.kernels),
        )
        for index, row in enumerate(rows)
    )

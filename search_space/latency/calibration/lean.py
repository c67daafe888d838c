"""A device model from few measurements that leans on known devices: the more alike one is, the more it counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from search_space.latency.calibration.fitting import NOT_KNOWN, UNMEASURED, MeasuredNetwork
from search_space.latency.calibration.known_devices import KnownDevice, amounts, engine_of
from search_space.latency.coefficients import FEATURE_COUNT, Coefficients
from search_space.latency.features import FeatureExtractor, coordinates, largest_by_name
from search_space.latency.model import DeviceModel, LeftOutRow, Setup
from search_space.latency.predictive_spread import Floats, PredictiveSpread
from topformer.errors import InputError

KNOWN_DEVICES = "known-devices"
"""What stands as `prior` in the file of a device that leans on them."""

ALIKE = 0.1
"""Log error of a row by which a known device is unlike the new one.

The mean size of what the known devices' networks are off by in their own fits, so nothing that was tuned."""

COMMON = 0.25
"""Weight of the mean over all known devices in a network's carried error, beside 1 of the alike: a choice."""

NEW_SD, TIMED_SD = 0.165, 0.12
"""Log errors of a network that was timed on no known device, and of one that was, less what few rows leave open of the
speed: with that factor, those of 46 known devices, each taken as new (`devices_left_out`)."""

DEGREES = 5
"""Their degrees of freedom: so few, because one new device in ten is far more unlike the others than the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaning:
    """What rows of a new device and known devices say together.

    Attributes:
        coefficients: The mean of the known devices', each at the speed of the rows, weighted by their likeness.
        weights: Known device to its share, the greatest first.
        errors: Network to the log error that it carries over from the known devices that it was timed on.
    """

    coefficients: Coefficients
    weights: Mapping[str, float]
    errors: Mapping[str, float]


def lean(rows: Sequence[MeasuredNetwork], known: Sequence[KnownDevice]) -> Leaning:
    """Weighs known devices by how well each, at its best speed, explains the rows of a new one.

    A row of a network that was timed on a known device is compared with the time there; of any other, with what the
    device's coefficients say. Without rows, all count alike and at their own speed.

    Args:
        rows: Networks timed on the new device.
        known: Devices to lean on, at least one.
    """
    per_unit = np.array([one.coefficients.per_unit for one in known])
    common = _common_errors(known)
    weights, speeds = _likeness(rows, known, per_unit, common)
    order = np.argsort(-weights, kind="stable").tolist()
    return Leaning(
        coefficients=Coefficients.from_per_unit((weights * np.exp(speeds)) @ per_unit),
        weights=MappingProxyType({known[index].name: float(weights[index]) for index in order}),
        errors=MappingProxyType(_carried(known, weights, common)),
    )


def _likeness(
    rows: Sequence[MeasuredNetwork], known: Sequence[KnownDevice], per_unit: Floats, common: Mapping[str, float]
) -> tuple[Floats, Floats]:
    """Of each known device its share, and the log factor between it and the new one: (N,) each."""
    if not rows:
        return np.full(len(known), 1 / len(known)), np.zeros(len(known))
    errors = np.array([[one.errors.get(row.name, common.get(row.name, 0.0)) for row in rows] for one in known])
    logs = np.log(np.array([row.latency_ms for row in rows])) - np.log(per_unit @ amounts(rows).T) - errors
    noise = np.array([row.noise for row in rows]) ** -2.0
    speeds = np.average(logs, axis=1, weights=noise)
    misfit = ((logs - speeds[:, None]) ** 2 @ (noise / noise.max())) / (2 * ALIKE**2)
    weights: Floats = np.exp(misfit.min() - misfit)
    return weights / weights.sum(), speeds


def _common_errors(known: Sequence[KnownDevice]) -> dict[str, float]:
    """Network to its mean error on the devices that it was timed on, and one more without any."""
    sums, counts = dict[str, float](), dict[str, int]()
    for one in known:
        for network, error in one.errors.items():
            sums[network] = sums.get(network, 0.0) + error
            counts[network] = counts.get(network, 1) + 1
    return {network: total / counts[network] for network, total in sums.items()}


def _carried(known: Sequence[KnownDevice], weights: Floats, common: Mapping[str, float]) -> dict[str, float]:
    """Network to the mean of its errors, those of devices that are alike most, the common one a little."""
    sums, totals = dict.fromkeys(common, 0.0), dict.fromkeys(common, COMMON)
    for one, weight in zip(known, weights.tolist(), strict=True):
        for network, error in one.errors.items():
            sums[network] += weight * error
            totals[network] += weight
    return {network: (COMMON * mean + sums[network]) / totals[network] for network, mean in common.items()}


def of_engine(known: Sequence[KnownDevice], runtime: str) -> list[KnownDevice]:
    """The known devices of that engine; all, where there is none."""
    return [one for one in known if one.engine == engine_of(runtime)] or list(known)


def leaned_model(rows: Sequence[MeasuredNetwork], setup: Setup, known: Sequence[KnownDevice]) -> DeviceModel:
    """The model of a device of which few networks were timed, with known devices of its engine as the prior.

    Its interval is that of networks that were timed on no known device, as far as the rows do not disagree more.
    Measured kernels and ranges are those of the networks of the known devices, and of the rows.

    Args:
        rows: Networks timed on the new device, at least one.
        setup: How they were measured.
        known: Devices to lean on.

    Raises:
        InputError: There are no rows.
    """
    if not rows:
        raise InputError("leaning on known devices needs at least one measured network, got none")
    alike = of_engine(known, setup.runtime)
    leaning = lean(rows, alike)
    networks = [*{row.name: row for one in alike for row in one.rows}.values(), *rows]
    measured = largest_by_name(kernel for network in networks for kernel in network.kernels)
    extractor = FeatureExtractor(measured)
    features = np.array([extractor.of_kernels(row.kernels) for row in rows])
    points = coordinates(amounts(networks))
    predicted = predicted_ms(rows, leaning)
    left_out = np.array(
        [float(predicted_ms([row], lean([*rows[:i], *rows[i + 1 :]], alike))[0]) for i, row in enumerate(rows)]
    )
    per_unit = leaning.coefficients.per_unit
    uncovered = features[:, FEATURE_COUNT:] @ per_unit / (features[:, :FEATURE_COUNT] @ per_unit)
    return DeviceModel(
        setup=setup,
        coefficients=leaning.coefficients,
        measured=measured,
        ranges=tuple(zip(points.min(axis=0).tolist(), points.max(axis=0).tolist(), strict=True)),
        spread=spread_of(np.log(np.array([row.latency_ms for row in rows]) / predicted)),
        rows=tuple(
            LeftOutRow(
                name=row.name,
                measured_ms=row.latency_ms,
                predicted_ms=float(predicted[index]),
                left_out_ms=float(left_out[index]),
                coverage=float(1 - uncovered[index]),
                family=row.family or row.name,
                macs=sum(kernel.macs for kernel in row.kernels),
            )
            for index, row in enumerate(rows)
        ),
        leaned_on=tuple(leaning.weights.items()),
    )


def spread_of(logs: Floats, sd: float = NEW_SD) -> PredictiveSpread:
    """How far a leaned model is off, given what it is off by on its rows.

    Args:
        logs: Log of measured over predicted, of each row.
        sd: Log error of a network, less what few rows leave open of the speed.
    """
    # Few rows that agree say little of other networks, so they never make the interval narrower.
    seen = len(logs) - 1
    of_rows = float(np.sum((logs - logs.mean()) ** 2)) / max(1, seen)
    variance = max(sd**2, (DEGREES * sd**2 + seen * of_rows) / (DEGREES + seen)) * (1 + 1 / len(logs))
    return PredictiveSpread(
        left_out=variance,
        degrees=DEGREES,
        unmeasured=UNMEASURED[0],
        unmeasured_degrees=UNMEASURED[1],
        extrapolation=NOT_KNOWN,
    )


def predicted_ms(rows: Sequence[MeasuredNetwork], leaning: Leaning) -> Floats:
    """What is said of networks, each with the error that it carries over if it was timed elsewhere: (N,)."""
    errors = np.array([leaning.errors.get(row.name, 0.0) for row in rows])
    predicted: Floats = amounts(rows) @ leaning.coefficients.per_unit * np.exp(errors)
    return predicted

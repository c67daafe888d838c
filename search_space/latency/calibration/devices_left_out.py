"""How well a new device is predicted from few rows and the known devices: each known one is taken as new in turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import stats

from search_space.latency.calibration.fitting import MeasuredNetwork
from search_space.latency.calibration.known_devices import KnownDevice
from search_space.latency.calibration.lean import NEW_SD, TIMED_SD, lean, predicted_ms, spread_of
from search_space.latency.predictive_spread import Floats, interval

DRAWS = 4
"""Sets of rows per device and number of rows."""

SEED = 0
"""Seed of the draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevicePrediction:
    """What is said of one network on a device that was taken as new.

    Attributes:
        device: The device.
        draw: Which of its draws of rows.
        measured_ms: Its time there.
        predicted_ms: What the rows and the other devices say.
        macs: Its multiply-accumulates.
        by_macs_ms: What a rate per MAC says, the geometric mean over the rows.
        inside: Whether its time lies in the 95 % interval.
    """

    device: str
    draw: int
    measured_ms: float
    predicted_ms: float
    macs: float
    by_macs_ms: float
    inside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutDevices:
    """How well networks are predicted on devices that were taken as new.

    Attributes:
        error: Mean size of the relative error.
        error_95: What one prediction in twenty exceeds.
        sd_log: Root mean square of the log error.
        inside: Share of the times in their 95 % interval.
        kendall: Rank correlation of predicted and measured times on one device, mean over devices and draws.
        macs_error: Mean size of the relative error of a rate per MAC.
        kendall_macs: Rank correlation of MACs and measured times.
        count: Predictions.
    """

    error: float
    error_95: float
    sd_log: float
    inside: float
    kendall: float
    macs_error: float
    kendall_macs: float
    count: int

    @classmethod
    def of(cls, found: Sequence[NewDevicePrediction]) -> Self:
        """Of predictions."""
        sizes = np.abs([one.predicted_ms / one.measured_ms - 1 for one in found])
        logs = np.log([one.predicted_ms / one.measured_ms for one in found])
        return cls(
            error=float(sizes.mean()),
            error_95=float(np.quantile(sizes, 0.95)),
            sd_log=float(np.sqrt(np.mean(logs**2))),
            inside=float(np.mean([one.inside for one in found])),
            kendall=_kendall(found, [one.predicted_ms for one in found]),
            macs_error=float(np.mean(np.abs([one.by_macs_ms / one.measured_ms - 1 for one in found]))),
            kendall_macs=_kendall(found, [one.macs for one in found]),
            count=len(found),
        )


def leave_devices_out(
    known: Sequence[KnownDevice], count: int | None, *, timed: bool, new: Sequence[str] = ()
) -> list[NewDevicePrediction]:
    """Takes each device as new, draws rows of it, and predicts each of its other networks from them and the others.

    Args:
        known: Devices of one engine.
        count: How many networks are timed on the new device; None for all but the predicted one.
        timed: Whether the predicted network was timed on the other devices, so that its error carries over; otherwise
            it is taken out of all of them, and they are fitted anew, which takes half a minute for 46 devices.
        new: Names of the devices to take as new; all by default.
    """
    found = []
    for network in sorted({row.name for one in known for row in one.rows}):
        knowing = known if timed else [one.without(network) for one in known]
        for index, device in enumerate(known):
            if not new or device.name in new:
                others = [*knowing[:index], *knowing[index + 1 :]]
                found += _of_network(network, device, others, count, timed=timed)
    return found


def _of_network(
    network: str, new: KnownDevice, known: Sequence[KnownDevice], count: int | None, *, timed: bool
) -> list[NewDevicePrediction]:
    """The predictions of a network on a new device; none where it was not timed there."""
    found = []
    for target in [row for row in new.rows if row.name == network]:
        for draw in range(DRAWS if count is not None else 1):
            rows = _drawn(new, network, count, draw)
            leaning = lean(rows, known)
            milliseconds = predicted_ms([target], leaning)
            spread = spread_of(_logs(rows, predicted_ms(rows, leaning)), TIMED_SD if timed else NEW_SD)
            low, high = interval(milliseconds, np.sqrt(np.array([spread.left_out])), spread.degrees)
            macs = np.array([sum(kernel.macs for kernel in row.kernels) for row in [target, *rows]])
            found.append(
                NewDevicePrediction(
                    device=new.name,
                    draw=draw,
                    measured_ms=target.latency_ms,
                    predicted_ms=float(milliseconds[0]),
                    macs=float(macs[0]),
                    by_macs_ms=float(macs[0] * np.exp(_logs(rows, macs[1:]).mean())),
                    inside=bool(low[0] <= target.latency_ms <= high[0]),
                )
            )
    return found


def _drawn(new: KnownDevice, network: str, count: int | None, draw: int) -> list[MeasuredNetwork]:
    """Rows of a device without that network; the same rows for every network, as far as it is not among them."""
    seed = [SEED, draw, *new.name.encode()]
    order = np.random.default_rng(seed).permutation(len(new.rows)).tolist()
    return [new.rows[index] for index in order if new.rows[index].name != network][:count]


def _logs(rows: Sequence[MeasuredNetwork], predicted: Floats) -> Floats:
    logs: Floats = np.log(np.array([row.latency_ms for row in rows]) / predicted)
    return logs


def _kendall(found: Sequence[NewDevicePrediction], values: Sequence[float]) -> float:
    """Rank correlation with the measured times within each draw, mean over the draws."""
    groups = dict[tuple[str, int], list[int]]()
    for index, one in enumerate(found):
        groups.setdefault((one.device, one.draw), []).append(index)
    measured = [one.measured_ms for one in found]
    ranks = [
        stats.kendalltau([values[i] for i in group], [measured[i] for i in group]).statistic
        for group in groups.values()
    ]
    return float(np.mean(ranks))

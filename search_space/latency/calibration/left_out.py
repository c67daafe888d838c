"""How well a device's model predicts networks that no fit saw: each network, or each family, left out in turn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from search_space.latency.calibration.devices import CHECKED, FITTED, HELD_OUT, device, read_rows
from search_space.latency.calibration.fitting import (
    EFFECTIVE_PARAMETERS,
    LEAST_FAMILIES,
    MeasuredNetwork,
    fit,
    shape_for,
)
from search_space.latency.devices import folder_of
from search_space.latency.model import DeviceModel, LeftOutRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Relative errors of many predictions: their mean size and the largest."""

    mean: float
    largest: float

    @classmethod
    def of(cls, errors: Sequence[float]) -> "Errors":
        """Of signed relative errors."""
        sizes = np.abs(errors)
        return cls(mean=float(sizes.mean()), largest=float(sizes.max()))

    def __str__(self) -> str:
        return f"{self.mean:.1%} / {self.largest:.1%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutPrediction:
    """A network that no fit saw: its measured milliseconds, the predicted ones, and their 95 % interval."""

    row: MeasuredNetwork
    milliseconds: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.milliseconds / self.row.latency_ms - 1

    @property
    def inside(self) -> bool:
        """Whether the measured time lies in the interval."""
        return self.low < self.row.latency_ms < self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """What a device's own data say of its model; nothing is predicted by a fit that saw it.

    Attributes:
        model: The device.
        row_out: Errors of the fitted networks, each left out alone.
        family_out: Errors where the whole family was left out; None where there are too few families.
        macs_out: Errors of a rate per MAC alone, left out in the same way as the last of the above.
        inside: Of all networks, the share whose measured time lies in the 95 % interval of a fit without them.
        kendall: Rank correlation of measured and left-out predicted times.
        spearman: The same by ranks.
        kendall_macs: Of measured times and MACs.
        spearman_macs: The same by ranks.
        held_out: Networks that are in no fit of the device, and what is predicted for them.
    """

    model: DeviceModel
    row_out: Errors
    family_out: Errors | None
    macs_out: Errors
    inside: float
    kendall: float
    spearman: float
    kendall_macs: float
    spearman_macs: float
    held_out: tuple[HeldOutPrediction, ...] = ()


def device_report(name: str) -> DeviceReport:
    """The report of a device that ships with the project."""
    model = device(name)
    rows = model.rows
    measured, macs = [row.measured_ms for row in rows], [row.macs for row in rows]
    predicted = [row.family_out_ms or row.left_out_ms for row in rows]
    by_family = [row.family_error for row in rows if row.family_error is not None]
    return DeviceReport(
        model=model,
        row_out=Errors.of([row.error for row in rows]),
        family_out=Errors.of(by_family) if by_family else None,
        macs_out=Errors.of(_macs_out(rows)),
        inside=float(np.mean([prediction.inside for prediction in left_out(name)])),
        kendall=float(stats.kendalltau(predicted, measured).statistic),
        spearman=float(stats.spearmanr(predicted, measured).statistic),
        kendall_macs=float(stats.kendalltau(macs, measured).statistic),
        spearman_macs=float(stats.spearmanr(macs, measured).statistic),
        held_out=tuple(_prediction(model, row) for row in read_rows(folder_of(name), HELD_OUT)),
    )


def _folds(families: Sequence[str]) -> list[list[int]]:
    """Indices to leave out together: families, or single rows where there are too few families."""
    if len(set(families)) < LEAST_FAMILIES:
        return [[index] for index in range(len(families))]
    return [[i for i, own in enumerate(families) if own == family] for family in dict.fromkeys(families)]


def _macs_out(rows: Sequence[LeftOutRow]) -> list[float]:
    """Errors of milliseconds = rate * MACs, the rate of least squared relative error over the other rows."""
    per_ms = np.array([row.macs / row.measured_ms for row in rows])
    errors = []
    for fold in _folds([row.family for row in rows]):
        rest = np.delete(per_ms, fold)
        rate = rest.sum() / (rest**2).sum()
        errors += (per_ms[fold] * rate - 1).tolist()
    return errors


def left_out(name: str) -> tuple[HeldOutPrediction, ...]:
    """What a fit without it, or without its family where there are enough, says of each network of a shipped device.

    The networks beside the rows are each left out alone; of a device with three rows, the rows are missing.
    """
    model, rows, others = device(name), read_rows(folder_of(name), FITTED), read_rows(folder_of(name), CHECKED)
    shape = shape_for(rows)
    predictions = dict[int, HeldOutPrediction]()
    for fold in _folds([row.family for row in rows]):
        rest = [row for index, row in enumerate(rows) if index not in fold]
        if len(rest) > EFFECTIVE_PARAMETERS:
            blind = fit(rest, model.setup, others, shape=shape)
            predictions.update((index, _prediction(blind, rows[index])) for index in fold)
    beside = (
        _prediction(fit(rows, model.setup, [other for other in others if other is not row], shape=shape), row)
        for row in others
    )
    return (*(predictions[index] for index in sorted(predictions)), *beside)


def _prediction(model: DeviceModel, row: MeasuredNetwork) -> HeldOutPrediction:
    table = model.predict(np.array([model.feature_extractor.of_kernels(row.kernels)]))
    low, high = float(table.low[0]), float(table.high[0])
    return HeldOutPrediction(row=row, milliseconds=float(table.milliseconds[0]), low=low, high=high)

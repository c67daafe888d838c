"""How well a device's model predicts networks that no fit saw: each network, or each family, left out in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy import stats

from search_space.latency.calibration.devices import (
    CHECKED,
    FITTED,
    HELD_OUT,
    device,
    device_folder,
    has_prior,
    known_devices,
    read_rows,
)
from search_space.latency.calibration.fitting import (
    EFFECTIVE_PARAMETERS,
    LEAST_FAMILIES,
    MeasuredNetwork,
    fit,
    shape_for,
    with_constructions,
)
from search_space.latency.calibration.lean import TIMED_SD, lean, of_engine, predicted_ms, spread_of
from search_space.latency.model import DeviceModel, LeftOutRow
from search_space.latency.predictive_spread import Floats, interval

LEAST_RANKED = 3
"""Networks below which no rank correlation is stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Relative errors of many predictions: their mean size and the largest."""

    mean: float
    largest: float

    @classmethod
    def of(cls, errors: Sequence[float] | Floats) -> "Errors":
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
        macs_out: Errors of a rate per MAC alone, left out as in the last of the above; None of a single network.
        inside: Of all networks, the share whose measured time lies in the 95 % interval of a fit without them; None
            where there are too few to leave one out.
        kendall: Rank correlation of measured and left-out predicted times; None of two networks or fewer, as below.
        spearman: The same by ranks.
        kendall_macs: Of measured times and MACs.
        spearman_macs: The same by ranks.
        predictions: What a fit without it says of each fitted or checked network, see `left_out`.
        held_out: Networks that are in no fit of the device, and what is predicted for them.
        held_out_summary: The same in numbers; None where there are none.
        carried: What known devices of the same engine say of those held-out networks that were timed on them.
        carried_summary: The same in numbers; None where there are none.
    """

    model: DeviceModel
    row_out: Errors
    family_out: Errors | None
    macs_out: Errors | None
    inside: float | None
    kendall: float | None
    spearman: float | None
    kendall_macs: float | None
    spearman_macs: float | None
    predictions: tuple[HeldOutPrediction, ...] = ()
    held_out: tuple[HeldOutPrediction, ...] = ()
    carried: tuple[HeldOutPrediction, ...] = ()

    @property
    def held_out_summary(self) -> "HeldOutSummary | None":
        """Errors, coverage and rank correlation over the held-out networks, beside those of MACs alone."""
        return HeldOutSummary.of(self.model, self.held_out) if self.held_out else None

    @property
    def carried_summary(self) -> "HeldOutSummary | None":
        """The same of the predictions that carry over what the networks are off by elsewhere."""
        return HeldOutSummary.of(self.model, self.carried) if self.carried else None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutSummary:
    """How well networks are predicted that are in no fit.

    Attributes:
        errors: Of the model.
        macs_errors: Of the rate per MAC of least squared relative error over the fitted networks.
        inside: Share of measured times in their 95 % interval.
        kendall: Rank correlation of measured and predicted times; None of two networks or fewer, as below.
        kendall_macs: Of measured times and MACs.
    """

    errors: Errors
    macs_errors: Errors
    inside: float
    kendall: float | None
    kendall_macs: float | None

    @classmethod
    def of(cls, model: DeviceModel, predictions: Sequence[HeldOutPrediction]) -> Self:
        """Of the predictions of a device's model."""
        measured = np.array([one.row.latency_ms for one in predictions])
        macs = np.array([sum(kernel.macs for kernel in one.row.kernels) for one in predictions])
        per_ms = np.array([row.macs / row.measured_ms for row in model.rows])
        rate = per_ms.sum() / (per_ms**2).sum()
        return cls(
            errors=Errors.of([one.error for one in predictions]),
            macs_errors=Errors.of(macs * rate / measured - 1),
            inside=float(np.mean([one.inside for one in predictions])),
            kendall=_rank(stats.kendalltau, [one.milliseconds for one in predictions], measured.tolist()),
            kendall_macs=_rank(stats.kendalltau, macs.tolist(), measured.tolist()),
        )


def device_report(name: str | Path) -> DeviceReport:
    """The report of a device that ships with the project, or of the folder of that path.

    Raises:
        InputError: There is no such device, or its folder is broken.
    """
    model, folder = device(name), device_folder(name)
    rows = model.rows
    measured, macs = [row.measured_ms for row in rows], [row.macs for row in rows]
    predicted = [row.family_out_ms or row.left_out_ms for row in rows]
    by_family = [row.family_error for row in rows if row.family_error is not None]
    predictions = _by_model(model, folder) if has_prior(folder) else left_out(name)
    return DeviceReport(
        model=model,
        row_out=Errors.of([row.error for row in rows]),
        family_out=Errors.of(by_family) if by_family else None,
        macs_out=Errors.of(_macs_out(rows)) if len(rows) > 1 else None,
        inside=float(np.mean([prediction.inside for prediction in predictions])) if predictions else None,
        kendall=_rank(stats.kendalltau, predicted, measured),
        spearman=_rank(stats.spearmanr, predicted, measured),
        kendall_macs=_rank(stats.kendalltau, macs, measured),
        spearman_macs=_rank(stats.spearmanr, macs, measured),
        predictions=predictions,
        held_out=_held_out(name),
        carried=_carried(name),
    )


def _rank(
    correlation: Callable[[Sequence[float], Sequence[float]], Any], one: Sequence[float], two: Sequence[float]
) -> float | None:
    """A rank correlation; None of fewer than `LEAST_RANKED` networks."""
    return float(correlation(one, two).statistic) if len(one) >= LEAST_RANKED else None


def _by_model(model: DeviceModel, folder: Path) -> tuple[HeldOutPrediction, ...]:
    """What the others of few rows say of each, with the model's own interval: so few cannot tell another one."""
    rows = read_rows(folder, FITTED)
    ms = np.array([row.left_out_ms for row in model.rows])
    low, high = interval(ms, np.full(len(ms), np.sqrt(model.spread.left_out)), model.spread.degrees)
    columns = zip(rows, ms.tolist(), low.tolist(), high.tolist(), strict=True)
    return tuple(
        HeldOutPrediction(row=row, milliseconds=one, low=least, high=most) for row, one, least, most in columns
    )


def _held_out(name: str | Path) -> tuple[HeldOutPrediction, ...]:
    """What is said of each held-out network, its interval from the others: its own error is in no width."""
    model, folder = device(name), device_folder(name)
    rows = read_rows(folder, HELD_OUT)
    if not rows:
        return ()
    if has_prior(folder):
        return tuple(_prediction(model, row) for row in rows)
    fitted, others = read_rows(folder, FITTED), read_rows(folder, CHECKED)
    plain = fit(fitted, model.setup, others, shape=shape_for(fitted))
    return tuple(_prediction(with_constructions(plain, [one for one in rows if one is not row]), row) for row in rows)


def _carried(name: str | Path) -> tuple[HeldOutPrediction, ...]:
    """What the fitted rows and the known devices of the same engine say of each held-out network timed on these.

    The device itself is not among the known ones.
    """
    model, folder = device(name), device_folder(name)
    rows = read_rows(folder, HELD_OUT)
    if not rows:
        return ()
    fitted = read_rows(folder, FITTED)
    known = [one for one in known_devices() if one.name != model.name]
    leaning = lean(fitted, of_engine(known, model.setup.runtime))
    timed = [row for row in rows if row.name in leaning.errors]
    if not timed:
        return ()
    logs = np.log(np.array([row.latency_ms for row in fitted]) / predicted_ms(fitted, leaning))
    spread = spread_of(logs, TIMED_SD)
    predicted = predicted_ms(timed, leaning)
    low, high = interval(predicted, np.full(len(timed), np.sqrt(spread.left_out)), spread.degrees)
    columns = zip(timed, predicted.tolist(), low.tolist(), high.tolist(), strict=True)
    return tuple(HeldOutPrediction(row=row, milliseconds=ms, low=least, high=most) for row, ms, least, most in columns)


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


def left_out(name: str | Path) -> tuple[HeldOutPrediction, ...]:
    """What a fit without it, or without its family where there are enough, says of each network of a fitted device.

    The networks beside the rows are each left out alone; of a device with three rows, the rows are missing.
    """
    model, folder = device(name), device_folder(name)
    rows, others, held_out = (read_rows(folder, role) for role in (FITTED, CHECKED, HELD_OUT))
    shape = shape_for(rows)
    predictions = dict[int, HeldOutPrediction]()
    for fold in _folds([row.family for row in rows]):
        rest = [row for index, row in enumerate(rows) if index not in fold]
        if len(rest) > EFFECTIVE_PARAMETERS:
            blind = with_constructions(fit(rest, model.setup, others, shape=shape), held_out)
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

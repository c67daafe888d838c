"""From measured rows to a device that latencies can be predicted for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from experiments.measure.rows import MeasuredRow
from experiments.measure.stability import LARGEST_DRIFT
from experiments.measure.steady import SteadyTime, reference_notes, steady_times
from experiments.measure.units import check_one_unit, in_milliseconds
from search_space.latency.calibration.devices import known_devices, shipped
from search_space.latency.calibration.fitting import MeasuredNetwork, fit, measured_candidate
from search_space.latency.calibration.lean import leaned_model
from search_space.latency.calibration.transfer import transfer
from search_space.latency.coefficients import NOISE
from search_space.latency.describe import leaned_on_text
from search_space.latency.model import DeviceModel, Setup
from topformer import __version__
from topformer.bounds import LABEL
from topformer.deployment.boundary import Boundary
from topformer.errors import InputError
from topformer.schema import check

FITTED_FROM = 4
"""Rows from which a device is fitted rather than scaled: with fewer its interval says next to nothing."""

OUTLYING = 0.25
"""Relative error, of a row that is predicted from the others, from which the row is named if the others agree."""

OF_THE_OTHERS = 4
"""How many times the middle error of all rows that error must be."""

COMPARED_WITH = "snapdragon-865"
"""The known device that rows are shown beside, where none is named."""

_SETTING = ("device", "soc", "core", "threads", "runtime", "precision", "abi")


class Method(StrEnum):
    """How the rates of the new device are found."""

    AUTO = "auto"
    """`fit` from four rows on; with fewer `scale` where a prior is named, else `lean`."""
    LEAN = "lean"
    """Those of all known devices, each weighted by its likeness."""
    SCALE = "scale"
    """Those of the prior, times one factor."""
    FIT = "fit"
    """Fitted to the rows alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A calibrated device, and how well it predicts the rows that made it.

    Attributes:
        model: The device.
        prior: The known device.
        scaled: The prior times one factor.
        method: How `model` was found.
        rows: The timed networks.
        networks: The same as they were fitted: with the drift of the reference taken out.
        notes: What was left out or is in doubt.
    """

    model: DeviceModel
    prior: DeviceModel
    scaled: DeviceModel
    method: Method
    rows: tuple[MeasuredRow, ...]
    networks: tuple[MeasuredNetwork, ...]
    notes: tuple[str, ...]

    def render(self) -> str:
        """As text: every row's error with the prior as it is, with the prior scaled, and with the fit."""
        found = {"prior": _errors(self._before), "scaled": _errors([row.error for row in self.scaled.rows])}
        if self._last:
            found[self._last] = _errors([row.error for row in self.model.rows])
        return "\n".join(
            [
                f"{self.model.name}: {self.method} from {len(self.model.rows)} rows, {self._stands_on}",
                f"{self.model.ms_per_gmac:.2f} ms per GMAC, {self.model.ms_per_gb:.2f} ms per GB "
                f"({self.prior.name}: {self.prior.ms_per_gmac:.2f}, {self.prior.ms_per_gb:.2f})",
                *self._table(),
                *(f"error, {name:<7} mean {mean:.1%}, largest {most:.1%}" for name, (mean, most) in found.items()),
                "measured: as in the file; steady: less the drift of the reference, which is what the errors are of",
                f"scaled{f' and {self._last}' if self._last else ''}: each row is predicted without itself, as far as "
                "there are others",
                *(f"note: {note}" for note in self.notes),
            ]
        )

    @property
    def _stands_on(self) -> str:
        prior = f"prior {self.prior.name}"
        return f"leans on {leaned_on_text(self.model)}; shown beside {prior}" if self.model.leaned_on else prior

    @property
    def _last(self) -> str:
        """What the last column is called: how the model was found, where that is not scaling."""
        return {Method.FIT: "fitted", Method.LEAN: "leaned"}.get(self.method, "")

    @property
    def _before(self) -> list[float]:
        """Relative errors of the prior as it is."""
        pairs = zip(self.rows, self.scaled.rows, strict=True)
        return [self.prior.estimate(row.candidate).milliseconds / check.measured_ms - 1 for row, check in pairs]

    def _table(self) -> list[str]:
        last = self.model.rows if self._last else ()
        heads = f"{'network':<22} {'measured':>10} {'steady':>10} {'prior':>8} {'scaled':>8}"
        lines = [heads + (f" {self._last:>8}" if last else "")]
        for number, (row, left_out, before) in enumerate(zip(self.rows, self.scaled.rows, self._before, strict=True)):
            after = f" {last[number].error:>+8.1%}" if last else ""
            times = f"{row.median_ms:>7.2f} ms {left_out.measured_ms:>7.2f} ms"
            lines.append(f"{left_out.name:<22} {times} {before:>+8.1%} {left_out.error:>+8.1%}{after}")
        return lines


def _errors(errors: Sequence[float]) -> tuple[float, float]:
    sizes = np.abs(errors)
    return float(sizes.mean()), float(sizes.max())


def calibrate(
    name: str,
    rows: Sequence[MeasuredRow],
    *,
    prior: str | None = None,
    method: Method = Method.AUTO,
    unit: str | None = None,
) -> Calibration:
    """The device that rows of one setting describe.

    Times are those of the rows with the drift of the reference network taken out (`steady.py`). Rows that end at the
    logits give the rates; rows that end at the classes give the cost of the last resize and argmax.

    Args:
        name: What to call the device.
        rows: Measured rows.
        prior: Name of a device that ships with the project, for few rows to scale; None to lean on all known devices.
        method: How the rates are found.
        unit: What the times are in, one of `protocol.UNITS`; None for milliseconds that are checked.

    Raises:
        InputError: The name cannot be used, the prior is not known, or the rows are too few, of several settings,
            measured twice, all in one proportion of work and bytes, or not in milliseconds.
    """
    check("device", name, LABEL, InputError)
    known = shipped(prior or COMPARED_WITH)
    rows = in_milliseconds(rows, unit)
    _check_setting(rows)
    _check_distinct(rows)
    timed = [row for row in rows if row.boundary == Boundary.LOGITS]
    if not timed:
        raise InputError(f"calibration needs a row with boundary {Boundary.LOGITS}, got {len(rows)} rows without one")
    check_one_unit(timed, known)
    chosen = _chosen(method, prior, len(timed))
    steady = steady_times(timed, known)
    networks = tuple(_network(one) for one in steady)
    setup = _setup(name, timed, known, chosen)
    scaled = transfer(known, networks, setup)
    model = _found(chosen, networks, setup, scaled)
    model = replace(model, setup=_with_argmax(model.setup, model, rows))
    notes = [*_notes(rows), *reference_notes(timed), *(one.note for one in steady if one.note), *_outlying(model)]
    return Calibration(
        model=model,
        prior=known,
        scaled=scaled,
        method=chosen,
        rows=tuple(timed),
        networks=networks,
        notes=tuple(notes),
    )


def _chosen(method: Method, prior: str | None, rows: int) -> Method:
    if method is Method.LEAN and prior is not None:
        raise InputError(f"method lean uses all known devices, so there must be no prior, got {prior!r}")
    if method is not Method.AUTO:
        return method
    if rows >= FITTED_FROM:
        return Method.FIT
    return Method.LEAN if prior is None else Method.SCALE


def _found(method: Method, networks: Sequence[MeasuredNetwork], setup: Setup, scaled: DeviceModel) -> DeviceModel:
    if method is Method.FIT:
        return fit(networks, setup)
    if method is Method.SCALE:
        return scaled
    return leaned_model(networks, setup, known_devices())


def _check_setting(rows: Sequence[MeasuredRow]) -> None:
    for number, field in enumerate(_SETTING):
        found = sorted({str(row.setting[number]) for row in rows})
        if len(found) > 1:
            raise InputError(f"all rows must have the same {field}, got {', '.join(map(repr, found))}")


def _check_distinct(rows: Sequence[MeasuredRow]) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for number, row in enumerate(rows, start=1):
        first = seen.setdefault(row.identity, number)
        if first != number:
            where = f"{row.fingerprint} at {row.height}x{row.width}, boundary {row.boundary}"
            raise InputError(f"rows {first} and {number} measure the same network ({where}); keep one of them")


def _network(steady: SteadyTime) -> MeasuredNetwork:
    row = steady.row
    source = f"{row.source}, {row.finished}"
    network = measured_candidate(row.candidate, steady.milliseconds, name=row.label, source=source)
    return replace(network, noise=_noise(row))


def _noise(row: MeasuredRow) -> float:
    """Relative error that a fit allows a row: as its runs scatter, and more than a stable row's where it is not one."""
    scatter = max(row.p90_ms / row.median_ms - 1, row.mad_ms / row.median_ms)
    return max(NOISE, scatter, 0.0 if row.stable else LARGEST_DRIFT)


def _setup(name: str, rows: Sequence[MeasuredRow], prior: DeviceModel, method: Method) -> Setup:
    first = rows[0]
    runs = sorted({row.runs for row in rows})
    source = f"measured, {min(row.finished for row in rows)} to {max(row.finished for row in rows)}"
    origin = {Method.SCALE: f"; rates of {prior.name} times one factor", Method.LEAN: "; rates of known devices"}
    return Setup(
        name=name,
        chip=first.soc or first.device,
        core=first.core,
        threads=first.threads,
        runtime=" ".join([first.runtime, *sorted({row.runtime_version for row in rows if row.runtime_version})]),
        precision=first.precision,
        clock_mhz=max((row.clock_mhz_before or 0.0 for row in rows), default=0.0),
        protocol=f"topformer {__version__} measure: medians of {runs[0]} to {runs[-1]} runs, boundary logits",
        source=source + origin.get(method, ""),
    )


def _with_argmax(setup: Setup, model: DeviceModel, rows: Sequence[MeasuredRow]) -> Setup:
    """With the cost of the last resize and argmax, where rows that end at the classes tell it."""
    found = []
    for row in rows:
        if row.boundary == Boundary.ARGMAX:
            rest_ms = row.median_ms - model.estimate(row.candidate).milliseconds
            found.append(1e6 * rest_ms / (row.design.num_classes * row.height * row.width))
    if not found or min(found) <= 0:
        return setup
    return replace(setup, argmax_ns=float(np.mean(found)), argmax_source=f"from {len(found)} rows with boundary argmax")


def _notes(rows: Sequence[MeasuredRow]) -> list[str]:
    unstable = sum(not row.stable for row in rows)
    silent = [end for end in (Boundary.UPSAMPLE, Boundary.ARGMAX_NEAREST) if any(row.boundary == end for row in rows)]
    unused = sum(row.boundary in silent for row in rows)
    notes = (
        [f"{unstable} of {len(rows)} rows were not stable; measure them again on a quiet device"] if unstable else []
    )
    return notes + (
        [f"{unused} rows with boundary {' or '.join(silent)} say nothing that the model has"] if unused else []
    )


def _outlying(model: DeviceModel) -> list[str]:
    """The row that the others do not explain, if they explain each other."""
    if len(model.rows) < FITTED_FROM:
        return []
    worst = max(model.rows, key=lambda row: abs(row.error))
    middle = float(np.median([abs(row.error) for row in model.rows]))
    if abs(worst.error) <= max(OUTLYING, OF_THE_OTHERS * middle):
        return []
    times = f"it took {worst.measured_ms:.3g} ms, by the others {worst.left_out_ms:.3g}"
    return [f"{worst.name} does not fit the others: {times}; measure it again"]

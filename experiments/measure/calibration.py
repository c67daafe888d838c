"""From measured rows to a device that latencies can be predicted for."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from experiments.measure.rows import MeasuredRow
from search_space.latency.calibration import coefficients_file
from search_space.latency.calibration.devices import FITTED, refit, shipped
from search_space.latency.calibration.fitting import EFFECTIVE_PARAMETERS, MeasuredNetwork, fit, measured_candidate
from search_space.latency.calibration.transfer import transfer
from search_space.latency.model import DeviceModel, Setup
from topformer import __version__
from topformer.bounds import LABEL
from topformer.codec import fingerprint, to_json
from topformer.deployment.boundary import Boundary
from topformer.errors import InputError
from topformer.files import write_json, write_text
from topformer.presets import PRESETS
from topformer.schema import check

MOST_APART = 100
"""Factor between two times of one network that no noise makes, and another unit does."""

_SETTING = ("device", "soc", "core", "threads", "runtime", "precision", "abi")


class Method(StrEnum):
    """How the rates of the new device are found."""

    AUTO = "auto"
    """`fit` from three rows on, else `scale`."""
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
        notes: What was left out or is in doubt.
    """

    model: DeviceModel
    prior: DeviceModel
    scaled: DeviceModel
    method: Method
    rows: tuple[MeasuredRow, ...]
    notes: tuple[str, ...]

    def render(self) -> str:
        """As text: every row's error with the prior as it is, with the prior scaled, and with the fit."""
        found = {"prior": _errors(self._before), "scaled": _errors([row.error for row in self.scaled.rows])}
        if self.method is Method.FIT:
            found["fitted"] = _errors([row.error for row in self.model.rows])
        return "\n".join(
            [
                f"{self.model.name}: {self.method} from {len(self.model.rows)} rows, prior {self.prior.name}",
                f"{self.model.ms_per_gmac:.2f} ms per GMAC, {self.model.ms_per_gb:.2f} ms per GB "
                f"({self.prior.name}: {self.prior.ms_per_gmac:.2f}, {self.prior.ms_per_gb:.2f})",
                *self._table(),
                *(f"error, {name:<7} mean {mean:.1%}, largest {most:.1%}" for name, (mean, most) in found.items()),
                "scaled and fitted: each row is predicted without itself, as far as there are others",
                *(f"note: {note}" for note in self.notes),
            ]
        )

    @property
    def _before(self) -> list[float]:
        """Relative errors of the prior as it is."""
        pairs = zip(self.rows, self.scaled.rows, strict=True)
        return [self.prior.estimate(row.candidate).milliseconds / check.measured_ms - 1 for row, check in pairs]

    def _table(self) -> list[str]:
        fitted = self.model.rows if self.method is Method.FIT else ()
        lines = [f"{'network':<22} {'measured':>10} {'prior':>8} {'scaled':>8}" + (f" {'fitted':>8}" if fitted else "")]
        for number, (row, before) in enumerate(zip(self.scaled.rows, self._before, strict=True)):
            after = f" {fitted[number].error:>+8.1%}" if fitted else ""
            lines.append(f"{row.name:<22} {row.measured_ms:>7.2f} ms {before:>+8.1%} {row.error:>+8.1%}{after}")
        return lines


def _errors(errors: Sequence[float]) -> tuple[float, float]:
    sizes = np.abs(errors)
    return float(sizes.mean()), float(sizes.max())


def calibrate(name: str, rows: Sequence[MeasuredRow], *, prior: str, method: Method = Method.AUTO) -> Calibration:
    """The device that rows of one setting describe.

    Times are those of the rows with the drift of the reference network taken out: a row's ratio to its reference
    times the best median of that reference at that size. Rows that end at the logits give the rates; rows that end
    at the classes give the cost of the last resize and argmax.

    Args:
        name: What to call the device.
        rows: Measured rows.
        prior: Name of a device that ships with the project.
        method: How the rates are found.

    Raises:
        InputError: The name cannot be used, the prior is not known, or the rows are too few, of several settings,
            measured twice, or all in one proportion of work and bytes.
    """
    check("device", name, LABEL, InputError)
    known = shipped(prior)
    _check_setting(rows)
    _check_distinct(rows)
    timed = [row for row in rows if row.boundary == Boundary.LOGITS]
    if not timed:
        raise InputError(f"calibration needs a row with boundary {Boundary.LOGITS}, got {len(rows)} rows without one")
    _check_units(timed)
    chosen = (
        method if method is not Method.AUTO else (Method.FIT if len(timed) > EFFECTIVE_PARAMETERS else Method.SCALE)
    )
    networks = [_network(row, _steady_ms(row, timed)) for row in timed]
    setup = _setup(name, timed, known, chosen)
    scaled = transfer(known, networks, setup)
    model = fit(networks, setup) if chosen is Method.FIT else scaled
    model = replace(model, setup=_with_argmax(setup, model, rows))
    return Calibration(
        model=model, prior=known, scaled=scaled, method=chosen, rows=tuple(timed), notes=tuple(_notes(rows))
    )


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


def _check_units(rows: Sequence[MeasuredRow]) -> None:
    """The reference took about the same in all rows of one size, or their times are not in one unit."""
    first: dict[tuple[object, ...], MeasuredRow] = {}
    for row in rows:
        other = first.setdefault((row.reference, row.height, row.width), row)
        ratio = max(row.reference_ms, other.reference_ms) / min(row.reference_ms, other.reference_ms)
        if ratio > MOST_APART:
            raise InputError(
                f"reference_ms of {row.reference} at {row.height}x{row.width} must be the same but for noise, got "
                f"{other.reference_ms:g} and {row.reference_ms:g}; all times must be in milliseconds"
            )


def _steady_ms(row: MeasuredRow, rows: Sequence[MeasuredRow]) -> float:
    """The row's time, had its reference been as fast as in the best of all rows of that size.

    A machine that is warmer or busier for a while slows both networks down, so their ratio keeps what the times lose.
    """
    same = [
        other.reference_ms
        for other in rows
        if (other.reference, other.height, other.width) == (row.reference, row.height, row.width)
    ]
    return row.ratio * min(same)


def _network(row: MeasuredRow, latency_ms: float) -> MeasuredNetwork:
    return measured_candidate(row.candidate, latency_ms, name=_label(row), source=f"{row.source}, {row.finished}")


def _label(row: MeasuredRow) -> str:
    """The preset's name and the size, or the fingerprint of any other design."""
    names = [name for name, design in PRESETS.items() if fingerprint(design) == fingerprint(row.design)]
    return f"{names[0] if names else row.fingerprint} {row.height}x{row.width}"


def _setup(name: str, rows: Sequence[MeasuredRow], prior: DeviceModel, method: Method) -> Setup:
    first = rows[0]
    runs = sorted({row.runs for row in rows})
    source = f"measured, {min(row.finished for row in rows)} to {max(row.finished for row in rows)}"
    return Setup(
        name=name,
        chip=first.soc or first.device,
        core=first.core,
        threads=first.threads,
        runtime=" ".join([first.runtime, *sorted({row.runtime_version for row in rows if row.runtime_version})]),
        precision=first.precision,
        clock_mhz=max((row.clock_mhz_before or 0.0 for row in rows), default=0.0),
        protocol=f"topformer {__version__} measure: medians of {runs[0]} to {runs[-1]} runs, boundary logits",
        source=source if method is Method.FIT else f"{source}; rates of {prior.name} times one factor",
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
    unused = sum(row.boundary == Boundary.UPSAMPLE for row in rows)
    notes = (
        [f"{unstable} of {len(rows)} rows were not stable; measure them again on a quiet device"] if unstable else []
    )
    return notes + ([f"{unused} rows with boundary upsample say nothing that the model has"] if unused else [])


def write_device(found: Calibration, parent: Path, *, overwrite: bool = False) -> Path:
    """Write the device as a folder that `topformer latency --device PATH` reads; the folder.

    Raises:
        InputError: There is such a folder already.
        StorageError: It cannot be written.
    """
    folder = parent / found.model.name
    if (folder / "device.toml").exists() and not overwrite:
        raise InputError(f"there is a device in {folder} already; choose another name, or ask for it to be overwritten")
    write_text(folder / "measured.csv", _measured_csv(found))
    write_text(folder / "device.toml", _device_toml(found))
    write_coefficients(folder)
    return folder


def write_coefficients(folder: Path) -> DeviceModel:
    """Fit the rows of a device's folder anew and write its coefficients beside them; the model.

    Raises:
        InputError: A file of the folder is missing or broken; the message names it.
        StorageError: The file cannot be written.
    """
    model, values = refit(folder)
    write_json(folder / coefficients_file.FILE, values)
    return model


def _device_toml(found: Calibration) -> str:
    setup = found.model.setup
    values = {item.name: getattr(setup, item.name) for item in fields(setup) if item.name != "name"}
    if found.method is Method.SCALE:
        values["prior"] = found.prior.name
    # Strings and numbers of JSON in ASCII are those of TOML.
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items() if value not in ("", 0.0))


def _measured_csv(found: Calibration) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("network", "design", "height", "width", "latency_ms", "role", "source"))
    for row, timed in zip(found.rows, found.model.rows, strict=True):
        design = json.dumps(to_json(row.design), separators=(",", ":"))
        stable = "" if row.stable else ", not stable"
        source = f"{row.source}, {row.finished}, median {row.median_ms:.6g} ms{stable}"
        table.writerow(
            (row.candidate.fingerprint, design, row.height, row.width, repr(timed.measured_ms), FITTED, source)
        )
    return text.getvalue()

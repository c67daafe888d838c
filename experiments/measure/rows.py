"""A file of measured rows: one line per measurement, appended as soon as it is known."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any

from analysis.records.lines import LineFile
from search_space.candidate import Candidate
from topformer.codec import fingerprint, to_json
from topformer.csv_file import read_csv
from topformer.deployment.boundary import Boundary
from topformer.design import Design
from topformer.design_file import parse_design
from topformer.errors import DesignError, InputError, unknown_name
from topformer.kinds import number_in
from topformer.presets import PRESETS


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """One network, timed on one device.

    Attributes:
        device: Name of the machine, as it says itself.
        soc: Its chip or board.
        core: Which core ran.
        threads: Number of threads.
        runtime: Engine.
        runtime_version: Its version, where it tells.
        precision: Number format of the arithmetic.
        abi: Instruction set.
        boundary: Where the graph ends.
        fingerprint: Of the design.
        design: The network, as JSON in the file.
        height: Input height in pixels.
        width: Input width in pixels.
        median_ms: Median of the runs, in milliseconds.
        min_ms: The fastest run.
        p90_ms: 90th percentile.
        mad_ms: Median distance from the median.
        runs: Number of runs.
        reference: Name of the network that ran in turns with this one, at the same size and boundary.
        reference_ms: Its median.
        ratio: `median_ms / reference_ms`: what can be compared between machines.
        clock_mhz_before: Clock after the warm-up; None where the system does not expose it.
        clock_mhz_after: Clock after the last run.
        temperature_c_before: Temperature after the warm-up.
        temperature_c_after: Temperature after the last run.
        stable: Whether clock and spread stayed within the protocol's limits, perhaps after repeats.
        model_sha256: Digest of the files that ran.
        finished: When, ISO 8601 in UTC.
        source: How it was measured.
    """

    device: str
    soc: str
    core: str
    threads: int
    runtime: str
    runtime_version: str
    precision: str
    abi: str
    boundary: str
    fingerprint: str
    design: Design
    height: int
    width: int
    median_ms: float
    min_ms: float
    p90_ms: float
    mad_ms: float
    runs: int
    reference: str
    reference_ms: float
    ratio: float
    clock_mhz_before: float | None
    clock_mhz_after: float | None
    temperature_c_before: float | None
    temperature_c_after: float | None
    stable: bool
    model_sha256: str
    finished: str
    source: str

    @property
    def candidate(self) -> Candidate:
        """The design at its size."""
        return Candidate(design=self.design, height=self.height, width=self.width)

    @property
    def label(self) -> str:
        """The preset's name and the size, or the fingerprint of any other design."""
        names = [name for name, design in PRESETS.items() if fingerprint(design) == fingerprint(self.design)]
        return f"{names[0] if names else self.fingerprint} {self.height}x{self.width}"

    @property
    def setting(self) -> tuple[object, ...]:
        """What all rows of one device model must have in common."""
        return (self.device, self.soc, self.core, self.threads, self.runtime, self.precision, self.abi)

    @property
    def identity(self) -> tuple[object, ...]:
        """What two different measurements of one setting must not have in common."""
        return (*self.setting, self.boundary, fingerprint(self.design), self.height, self.width)


COLUMNS = tuple(item.name for item in fields(MeasuredRow))
"""Columns of the file, in order."""

_KINDS = {item.name: item.type for item in fields(MeasuredRow)}
ROUNDED = 1e-3
"""Share by which a stored ratio may differ from that of the stored times, which are rounded."""

_Accepts = Callable[[float], bool]
_ABOVE_0: tuple[_Accepts, str] = (lambda value: isfinite(value) and value > 0, "a finite number above 0")
_FROM_0: tuple[_Accepts, str] = (lambda value: isfinite(value) and value >= 0, "a finite number of at least 0")
_COUNT: tuple[_Accepts, str] = (lambda value: value >= 1, "at least 1")

_ACCEPTED: Mapping[str, tuple[_Accepts, str]] = MappingProxyType(
    {
        **dict.fromkeys(("median_ms", "min_ms", "p90_ms", "reference_ms", "ratio"), _ABOVE_0),
        **dict.fromkeys(("clock_mhz_before", "clock_mhz_after"), _ABOVE_0),
        **dict.fromkeys(("temperature_c_before", "temperature_c_after"), (isfinite, "a finite number")),
        **dict.fromkeys(("threads", "runs"), _COUNT),
        "mad_ms": _FROM_0,
    }
)
"""What the number of a column may be, and that in words; an empty one is not asked."""


def append_row(path: Path, row: MeasuredRow) -> None:
    """Add a row to a file, which is made with its header if need be; return when the disk has it.

    Raises:
        InputError: The file has other columns.
        StorageError: The disk did not take it.
    """
    file = LineFile(path)
    check_header(path)
    lines = [line for line, is_whole in file.read() if is_whole]
    values = {**{item.name: getattr(row, item.name) for item in fields(row)}, "stable": str(row.stable).lower()}
    values["design"] = json.dumps(to_json(row.design), separators=(",", ":"))
    file.append((b"" if lines else _line(COLUMNS)) + _line([_text(values[name]) for name in COLUMNS]))


def check_header(path: Path) -> None:
    """A file of that name, if there is one, has the columns of a row.

    Raises:
        InputError: It has others.
        StorageError: It cannot be read.
    """
    lines = [line for line, is_whole in LineFile(path).read() if is_whole]
    if not lines or lines[0] + b"\n" == _line(COLUMNS):
        return
    if all(name.encode() in lines[0] for name in COLUMNS):
        raise InputError(
            f"{path} was written by another program; rows are added only to a file as `topformer measure` writes it. "
            "Measure into another file; `topformer calibrate` takes both"
        )
    raise InputError(f"{path} is no file of measured rows: its first line is {lines[0][:60]!r}")


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def _line(values: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([" ".join(value.split()) for value in values])
    return text.getvalue().encode()


def read_rows(path: Path) -> tuple[MeasuredRow, ...]:
    """The rows of a file; further columns and lines without a value are ignored.

    Spreadsheets and pandas write such files in their own ways, all of which are read: with a byte-order mark, with
    semicolons or tabs between the values and then perhaps commas in the numbers, with `True` or `TRUE`.

    Raises:
        InputError: There is no such file, or a column is missing, or a value is of the wrong kind or impossible; the
            message has the line.
    """
    found = read_csv(path, what="rows", delimiters=",;\t")
    if missing := [name for name in COLUMNS if name not in found.columns]:
        raise InputError(f"{path} misses the columns {', '.join(missing)}")
    return tuple(
        _row(cells if found.delimiter == "," else _with_points(cells), where)
        for where, cells in found.lines
        if any(cells[name] for name in COLUMNS)
    )


def _with_points(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Values of a line whose numbers may have a comma where ours have a point."""
    numbers = {name for name, kind in _KINDS.items() if kind not in (str, bool, int, Design)}
    return {name: text.replace(",", ".") if text and name in numbers else text for name, text in values.items()}


def _row(values: Mapping[str, str | None], where: str) -> MeasuredRow:
    read: dict[str, Any] = {name: _value(name, values[name], where) for name in COLUMNS}
    for name, (accepts, words) in _ACCEPTED.items():
        if read[name] is not None and not accepts(read[name]):
            raise InputError(f"{where}: {name} must be {words}, got {values[name]}")
    boundaries = [boundary.value for boundary in Boundary]
    if read["boundary"] not in boundaries:
        raise InputError(f"{where}: {unknown_name('boundary', read['boundary'], boundaries)}")
    row = MeasuredRow(**read)
    if not row.min_ms <= row.median_ms <= row.p90_ms:
        times = f"{row.min_ms:g}, {row.median_ms:g}, {row.p90_ms:g}"
        raise InputError(f"{where}: min_ms, median_ms and p90_ms must not fall, got {times}")
    if abs(row.median_ms / row.reference_ms / row.ratio - 1) > ROUNDED:
        raise InputError(
            f"{where}: ratio must be median_ms / reference_ms, got {row.ratio:g} for {row.median_ms:g} and "
            f"{row.reference_ms:g}; are all three in the same unit"
        )
    try:
        _ = row.candidate
    except DesignError as error:
        raise InputError(f"{where}: {error}") from None
    if row.fingerprint != fingerprint(row.design):
        raise InputError(f"{where}: the fingerprint {row.fingerprint!r} is not that of the design")
    return row


def _value(name: str, text: str | None, where: str) -> object:
    kind = _KINDS[name]
    if text is None:
        raise InputError(f"{where}: the line ends before {name}")
    try:
        if kind is Design:
            return parse_design(text)
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind is str:
            return text
        if kind is int or kind is float:
            return number_in(text, kind)
        return number_in(text) if text else None
    except (ValueError, KeyError) as error:
        reason = f": {error}" if isinstance(error, DesignError) else "; accepted: true, false" if kind is bool else ""
        raise InputError(f"{where}: {name} cannot be {text!r}{reason}") from None

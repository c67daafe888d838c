"""Counts of one forward of a network: of a program that runs it once more, less those of one that does not."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory

from experiments.emulate.folder import CPU, counting, emulator
from experiments.emulate.setup import EmulationError, carry_out, check_ready
from topformer.csv_file import read_csv
from topformer.deployment.export import Exported
from topformer.errors import InputError
from topformer.kinds import number_in

KINDS = ("fma", "neon", "loads", "stores", "branches", "other")
"""Kinds of instructions; together they are all."""

_NUMBERS = (*KINDS, "loaded_bytes", "stored_bytes")
_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What one forward executes; instructions, not time.

    Attributes:
        fma: FMLA and FMLS on vectors.
        neon: Other instructions on SIMD and floating-point registers.
        loads: Instructions that read memory.
        stores: Instructions that write memory.
        branches: Branches, calls and returns.
        other: All others: integer arithmetic, addresses, prefetches.
        loaded_bytes: Bytes that the loads read.
        stored_bytes: Bytes that the stores write.
    """

    fma: float
    neon: float
    loads: float
    stores: float
    branches: float
    other: float
    loaded_bytes: float
    stored_bytes: float

    @property
    def instructions(self) -> float:
        """All instructions."""
        return sum(float(getattr(self, kind)) for kind in KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRow:
    """Counts of a network, and what they were counted with.

    Attributes:
        network: How the user named it.
        design: The design as JSON.
        height: Input height in pixels.
        width: Input width in pixels.
        runtime: Engine, version and precision.
        emulator: QEMU's version.
        cpu: Model of the emulated core.
        model_sha256: Digest of the network's files.
        counts: Of one forward up to the logits.
    """

    network: str
    design: str
    height: int
    width: int
    runtime: str
    emulator: str
    cpu: str
    model_sha256: str
    counts: Counts


_TEXTS = ("network", "design", "height", "width", "runtime", "emulator", "cpu", "model_sha256")
COLUMNS = (*_TEXTS, *_NUMBERS)
"""Columns of a file of counts."""


def count(exported: Exported, folder: Path, *, network: str, design: str, forwards: int = 1) -> CountRow:
    """Count one forward of an exported ncnn network; two runs of a program, 5 to 20 seconds each on a desktop core.

    Args:
        exported: The network, for ncnn.
        folder: The emulated machine, prepared.
        network: Its name in the row.
        design: Its design in the row.
        forwards: How many forwards the second run has more than the first; the counts are their mean.

    Raises:
        InputError: `forwards` is below 1.
        EmulationError: The machine is not ready, or a run fails.
    """
    if forwards < 1:
        raise InputError(f"forwards must be at least 1, got {forwards}")
    check_ready(folder)
    version, less = _run(exported, folder, 1)
    _, more = _run(exported, folder, 1 + forwards)
    return CountRow(
        network=network,
        design=design,
        height=exported.height,
        width=exported.width,
        runtime=f"ncnn {version} fp32",
        emulator=_version(folder),
        cpu=CPU,
        model_sha256=exported.sha256,
        counts=difference(less, more, forwards),
    )


def difference(less: Counts, more: Counts, forwards: int) -> Counts:
    """What one forward executes, of two runs that differ by `forwards` of them.

    Raises:
        EmulationError: The longer run did not execute more.
    """
    if more.instructions <= less.instructions:
        raise EmulationError(
            f"{1 + forwards} forwards executed {more.instructions:.0f} instructions and one {less.instructions:.0f}; "
            "the counts cannot be right"
        )
    return Counts(**{name: (getattr(more, name) - getattr(less, name)) / forwards for name in _NUMBERS})


def read_counts(text: str) -> Counts:
    """The counts that the plugin wrote.

    Raises:
        EmulationError: It is something else.
    """
    values = dict(re.findall(r"^(\w+) (\d+)$", text, re.M))
    if set(values) != set(_NUMBERS):
        raise EmulationError(f"the plugin must write {', '.join(_NUMBERS)}, got {text[:100]!r}")
    return Counts(**{name: int(value) for name, value in values.items()})


def _run(exported: Exported, folder: Path, forwards: int) -> tuple[str, Counts]:
    with TemporaryDirectory(prefix="topformer-") as name:
        out = Path(name) / "counts"
        argv = counting(
            folder,
            exported.files[0].resolve(),
            height=exported.height,
            width=exported.width,
            forwards=forwards,
            out=out,
        )
        version = carry_out(argv, Path(name), "emulation", _SECONDS)
        if not out.is_file():
            raise EmulationError("emulation ended without counts")
        return version.strip(), read_counts(out.read_text(encoding="ascii"))


def _version(folder: Path) -> str:
    output = carry_out((*emulator(folder), "--version"), folder, "emulation", 60)
    match = re.search(r"version ([\d.]+)", output)
    return f"qemu-user {match[1]}" if match else "qemu-user"


def render(rows: Sequence[CountRow]) -> str:
    """A table of the counts, in millions and in MB."""
    heads = ("network", "total", *KINDS, "MB loaded", "MB stored")
    table = [heads, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in table]
    machines = sorted({f"{row.runtime}, {row.emulator}, {row.cpu}" for row in rows})
    return "\n".join(["millions per forward up to the logits: instructions, not time", *lines, *machines])


def _cells(row: CountRow) -> tuple[str, ...]:
    counts = row.counts
    numbers = (counts.instructions, *(getattr(counts, name) for name in _NUMBERS))
    return (f"{row.network} {row.height}x{row.width}", *(f"{number / 1e6:.1f}" for number in numbers))


def to_json(row: CountRow) -> dict[str, object]:
    """The row as JSON, whose counts are instructions and bytes."""
    counted = {"instructions": row.counts.instructions, **{name: getattr(row.counts, name) for name in _NUMBERS}}
    return {**{name: getattr(row, name) for name in _TEXTS}, **counted, "unit": "instructions, not time"}


def append(path: Path, row: CountRow) -> None:
    """Add a row to a file of counts, which is made with a header where there is none.

    Raises:
        InputError: The file is there and has other columns.
    """
    if path.exists():
        _ = tuple(read(path))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not path.exists() or not path.stat().st_size:
        writer.writerow(COLUMNS)
    texts = [getattr(row, name) for name in _TEXTS]
    writer.writerow([*texts, *(f"{getattr(row.counts, name):.0f}" for name in _NUMBERS)])
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text.getvalue())


def read(path: Path) -> Iterator[CountRow]:
    """The rows of a file of counts.

    Raises:
        InputError: It cannot be read, misses a column, or has a value that is none; the message has the line.
    """
    found = read_csv(path, what="counts")
    if found.columns and found.columns != COLUMNS:
        raise InputError(f"{path} must have the columns {', '.join(COLUMNS)}")
    for where, cells in found.lines:
        yield _row(cells, where)


def _row(values: Mapping[str, str | None], where: str) -> CountRow:
    try:
        numbers = {name: number_in(values[name] or "") for name in _NUMBERS}
        if not all(isfinite(number) and number >= 0 for number in numbers.values()):
            raise ValueError("counts must be finite and not negative")
        texts = {
            field.name: values[field.name] or ""
            for field in fields(CountRow)
            if field.type is str or field.type == "str"
        }
        height, width = (int(number_in(values[name] or "", int)) for name in ("height", "width"))
        return CountRow(**texts, height=height, width=width, counts=Counts(**numbers))
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from None

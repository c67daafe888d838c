"""The tables of a device's folder, and the kernels of the networks that several devices were timed on."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from search_space.latency.kernels import Kernel
from topformer.errors import InputError

NETWORKS = Path(__file__).parent.parent / "networks.csv"
"""Kernels of the networks that several devices were timed on; `search_space.latency.calibration.networks` writes it."""

NEW_CONSTRUCTIONS = NETWORKS.with_name("new_constructions.csv")
"""The same of networks that are in no fit: those that are read from ncnn's own files."""

KERNELS = ("network", "kernel", "count", "macs", "work", "moved", "largest")
"""Columns of a file of kernels."""


@lru_cache(maxsize=1)
def shared_kernels() -> Mapping[str, Sequence[Kernel]]:
    """The kernels of every network of `NETWORKS` and `NEW_CONSTRUCTIONS`."""
    return {**read_kernels(NETWORKS), **read_kernels(NEW_CONSTRUCTIONS)}


def read_kernels(path: Path) -> Mapping[str, Sequence[Kernel]]:
    """Network to its kernels, summed by name.

    Raises:
        InputError: The file is missing or broken; the message names it.
    """
    by_network = defaultdict(list)
    for row in read_csv(path, KERNELS):
        count, macs, work, moved, largest = (int(number(row, column)) for column in KERNELS[2:])
        kernel = Kernel(row["kernel"], "", macs, moved, largest, number=count, extra=work - macs)
        by_network[row["network"]].append(kernel)
    return by_network


def number(row: Mapping[str, str], column: str) -> float:
    """The number in that column.

    Raises:
        InputError: It is none.
    """
    try:
        return float(row[column])
    except ValueError:
        raise InputError(f"{column} of {row['network']!r} must be a number, got {row[column]!r}") from None


def read_csv(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[dict[str, str]]:
    """The rows of a table with those columns; the optional ones may stand among them.

    Raises:
        InputError: The file is missing, or has other columns or a line that is too short or too long.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, names = list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read the device file {path}: {error}") from error
    if [name for name in names if name not in optional] != list(columns):
        raise InputError(f"{path} must have the columns {', '.join(columns)}, got {', '.join(names)}")
    short = next((line for line, row in enumerate(rows, start=2) if None in row.values() or None in row), None)
    if short is not None:
        raise InputError(f"{path}, line {short}: there must be {len(names)} values, as in the first line")
    return rows

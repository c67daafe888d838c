"""The tables of a device's folder, and the kernels of the networks that several devices were timed on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from search_space.latency.kernels import Kernel
from topformer.csv_file import whole_lines
from topformer.errors import InputError
from topformer.kinds import number_in

NETWORKS = Path(__file__).parent.parent / "networks.csv"
"""Kernels of the networks that several devices were timed on; `search_space.latency.calibration.networks` writes it."""

NEW_CONSTRUCTIONS = NETWORKS.with_name("new_constructions.csv")
"""The same of networks that are in no fit: those that are read from ncnn's own files."""

DEVICE_FILE = "device file"
"""What the tables of a device are, for messages."""

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
    for row in whole_lines(path, KERNELS, (), what=DEVICE_FILE):
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
        return number_in(row[column])
    except ValueError:
        raise InputError(f"{column} of {row['network']!r} must be a number, got {row[column]!r}") from None

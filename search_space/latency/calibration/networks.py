"""Remakes the kernels of all calibration networks: `python -m search_space.latency.calibration.networks`."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from search_space.latency.calibration.kernel_files import KERNELS, NETWORKS, NEW_CONSTRUCTIONS
from search_space.latency.kernels import Kernel, kernels


def rebuild(path: Path = NETWORKS) -> None:
    """Builds every network of the catalogue, walks it, and writes its kernels; takes a minute or two, needs torch."""
    from search_space.latency.networks.catalogue import catalogue
    from search_space.operations.walk import walk

    write_kernels(path, ((net.name, kernels(walk(net.build(), net.side, net.side))) for net in catalogue()))
    write_kernels(path.with_name(NEW_CONSTRUCTIONS.name), read_kernels())


def read_kernels() -> Iterator[tuple[str, list[Kernel]]]:
    """The networks that are read from ncnn's own files, as `ncnn NAME`."""
    from search_space.latency.networks.ncnn_param import SIDES, operations_of

    for file, side in SIDES.items():
        yield f"ncnn {file.stem}", kernels(operations_of(file, side))


def write_kernels(path: Path, networks: Iterable[tuple[str, Sequence[Kernel]]]) -> None:
    """Writes the kernels of named networks, summed by name: what `read_device` reads."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(KERNELS)
        for name, graph in networks:
            writer.writerows((name, k.name, k.number, k.macs, k.work, k.moved, k.largest) for k in summed(graph))


def summed(graph: Iterable[Kernel]) -> list[Kernel]:
    """The kernels of one name as one, in the order of their first appearance."""
    sums: dict[str, Kernel] = {}
    for kernel in graph:
        before = sums.get(kernel.name, kernel._replace(module="", macs=0, moved=0, largest=0, number=0, extra=0))
        sums[kernel.name] = before._replace(
            macs=before.macs + kernel.macs,
            moved=before.moved + kernel.moved,
            largest=max(before.largest, kernel.largest),
            ruled=before.ruled and kernel.ruled,
            number=before.number + kernel.number,
            extra=before.extra + kernel.extra,
        )
    return list(sums.values())


if __name__ == "__main__":
    rebuild()

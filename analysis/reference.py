"""Numbers that others published about TopFormer and its peers, each with where it stands."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from topformer.errors import InputError, unknown_name

Cell = str | float | None
"""A text, a number, or None for what was not published."""

PaperRow = Mapping[str, Cell]
"""Column of a published table to its cell."""

NUMBERS = frozenset(
    {
        "params_m", "gflops", "mflops", "miou", "miou_59", "miou_60", "ap", "top1", "latency_ms", "input", "batch", "m",
        "params_share", "flops_share", "latency_share", "difference", "sd",
    }
)  # fmt: skip
"""Columns that hold numbers; the cells of all others are texts."""

FOLDER = Path(__file__).parent / "paper"
"""The tables, as CSV; their README says where each number comes from."""

ADE20K = "miou@ade20k"
"""Metric of the published accuracies: single-scale mIoU in percent on the validation images of ADE20K."""

PREDICTED = "miou@published-"
"""Begin of the name of an accuracy that is predicted from published ones, in the same units."""

SNAPDRAGON_865 = "latency_ms@snapdragon-865"
"""Metric of the published latencies: milliseconds on one ARM core of a Snapdragon 865."""

PAPER = "TopFormer, CVPR 2022, Table 1"
RELEASE = "README of github.com/hustvl/TopFormer"
SEARCHED = "a supernet search over TopFormer, published as a course report; single runs, not peer reviewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPoint:
    """One published network.

    Attributes:
        name: As its authors call it, with the input size where one network appears at several.
        family: `TopFormer`, `searched TopFormer` or `other`.
        miou: Percent.
        latency_ms: Milliseconds, or None where none was published.
        gflops: As published: 1e9 multiply-accumulates, rounded.
        parameters_m: Millions, or None where they were not published.
        input: Side of the input in pixels.
        batch: Images per training step, or None where it is not stated.
        source: Where it was published.
    """

    name: str
    family: str
    miou: float
    latency_ms: float | None
    gflops: float
    parameters_m: float | None
    input: int
    batch: int | None
    source: str


def predicted_metric(dataset: str) -> str:
    """Name of the accuracies on a data set that are predicted from published ones."""
    return f"{PREDICTED}{dataset}"


def table_names() -> tuple[str, ...]:
    """Names that `paper_table` accepts."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.csv")))


@cache
def paper_table(name: str) -> tuple[PaperRow, ...]:
    """The rows of a published table, such as `table_01_ade20k`; an empty cell is unknown and stays None.

    Raises:
        InputError: There is no such table; the message offers the nearest name. Or a column of numbers holds a text.
    """
    if name not in table_names():
        raise InputError(unknown_name("published table", name, table_names()))
    with (FOLDER / f"{name}.csv").open(encoding="ascii", newline="") as file:
        return tuple(
            MappingProxyType({column: _cell(name, column, text) for column, text in row.items()})
            for row in csv.DictReader(file)
        )


def number(row: PaperRow, column: str) -> float | None:
    """The number in a column of `NUMBERS`; None where it was not published.

    Raises:
        InputError: The table has no such column of numbers.
    """
    cell = row.get(column, "no such column")
    if isinstance(cell, str):
        raise InputError(f"{column} of a published table must be a number or unknown, got {cell!r}")
    return cell


def published_points(metric: str, latency_metric: str | None = None) -> tuple[PublishedPoint, ...]:
    """The published networks that may stand beside a result in these units; none for any other unit.

    Table 1 and the release differ in batch and schedule, so the points of the release, which has no latency of
    its own, appear only where no latency is asked for.

    Args:
        metric: Name of the accuracy: `miou@ade20k`, or what is predicted from such accuracies.
        latency_metric: Name of the latency; only `latency_ms@snapdragon-865` was published. If given, networks
            without a published latency are left out.
    """
    if metric not in (ADE20K, predicted_metric("ade20k")) or latency_metric not in (None, SNAPDRAGON_865):
        return ()
    points = (*_table_1(), *_searched(), *_release())
    return tuple(point for point in points if latency_metric is None or point.latency_ms is not None)


def _table_1() -> Iterator[PublishedPoint]:
    for row in paper_table("table_01_ade20k"):
        method, encoder, side = row["method"], str(row["encoder"]), int(_printed(row, "input"))
        ours = method == "TopFormer"
        yield PublishedPoint(
            name=_sized(encoder, side) if ours else f"{method} {encoder}",
            family="TopFormer" if ours else "other",
            miou=_printed(row, "miou"),
            latency_ms=number(row, "latency_ms"),
            gflops=_printed(row, "gflops"),
            parameters_m=number(row, "params_m"),
            input=side,
            batch=16 if row["note"] == "batch 16" else None,
            source=PAPER,
        )


def _searched() -> Iterator[PublishedPoint]:
    for row in paper_table("searched_topformer_ade20k"):
        side = int(_printed(row, "input"))
        yield PublishedPoint(
            name=_sized(str(row["model"]), side),
            family="searched TopFormer",
            miou=_printed(row, "miou"),
            latency_ms=number(row, "latency_ms"),
            gflops=_printed(row, "gflops"),
            parameters_m=None,
            input=side,
            batch=None,
            source=SEARCHED,
        )


def _release() -> Iterator[PublishedPoint]:
    for row in paper_table("release_ade20k"):
        side = int(_printed(row, "input"))
        yield PublishedPoint(
            name=_sized(str(row["model"]), side),
            family="TopFormer",
            miou=_printed(row, "miou"),
            latency_ms=None,
            gflops=_printed(row, "gflops"),
            parameters_m=number(row, "params_m"),
            input=side,
            batch=int(_printed(row, "batch")),
            source=RELEASE,
        )


def _sized(name: str, side: int) -> str:
    """The name, with the input size where it is not the usual 512."""
    return name if side == 512 else f"{name} @{side}"


def _cell(table: str, column: str, text: str) -> Cell:
    if not text:
        return None
    if column not in NUMBERS:
        return text
    try:
        return float(text)
    except ValueError:
        raise InputError(f"published table {table}: {column} must be a number or empty, got {text!r}") from None


def _printed(row: PaperRow, column: str) -> float:
    """A number that every row of a table must have.

    Raises:
        InputError: It is unknown.
    """
    value = number(row, column)
    if value is None:
        raise InputError(f"a published network must have {column}, got {dict(row)}")
    return value

"""Records as rows of a table: one row per record, one column per label and per number."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from analysis.records.record import Record

if TYPE_CHECKING:
    from pandas import DataFrame

Cell = str | float | None
"""What a column holds; None where a record has no such label or number."""

FIXED = (
    "study",
    "trial",
    "state",
    "fingerprint",
    "origin",
    "height",
    "width",
    "seed",
    "evaluator",
    "data",
    "budget",
    "seconds",
    "finished",
    "reason",
)
"""The columns that every record has, in order."""


def row(record: Record) -> dict[str, Cell]:
    """The record as one row.

    After the fixed columns come `axis:NAME` for each label and, for each metric, its value under its own name
    with `:low`, `:high` (ends of the 95 % interval) and `:source` beside it; where its error has two parts also
    `:shared_sd` and `:own_sd`.
    """
    fidelity = record.fidelity
    own: dict[str, Cell] = {"state": record.state.value, "evaluator": fidelity.evaluator, "data": fidelity.data}
    cells: dict[str, Cell] = {name: own[name] if name in own else getattr(record, name) for name in FIXED}
    cells.update({f"axis:{name}": label for name, label in record.labels.items()})
    for name, metric in record.metrics.items():
        cells[name] = metric.value
        cells[f"{name}:low"] = metric.low
        cells[f"{name}:high"] = metric.high
        cells[f"{name}:source"] = metric.source
        if metric.own_sd is not None:
            cells |= {f"{name}:shared_sd": metric.shared_sd, f"{name}:own_sd": metric.own_sd}
    return cells


def columns(rows: Iterable[Mapping[str, Cell]]) -> list[str]:
    """Names of all columns of the rows: fixed ones, then axes, then the others, in order of first appearance."""
    names = dict.fromkeys(name for cells in rows for name in cells)
    fixed = [name for name in names if name in FIXED]
    axes = [name for name in names if name.startswith("axis:")]
    return fixed + axes + [name for name in names if name not in FIXED and not name.startswith("axis:")]


def to_frame(records: Iterable[Record]) -> "DataFrame":
    """A pandas table with one row per record, in their order; NaN where a record has no such number.

    Interval columns are numbers even where no record has an interval. No record gives a table without rows that
    still has the fixed columns.
    """
    from pandas import DataFrame

    rows = [row(record) for record in records]
    frame = DataFrame.from_records(rows, columns=columns(rows) or list(FIXED))
    ends = [name for name in frame.columns if name.endswith((":low", ":high")) and not name.startswith("axis:")]
    return frame.astype(dict.fromkeys(ends, "float64"))

"""Records as rows of a table: one row per record, one column per label and per number."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.records.named_design import run_folder
from analysis.records.record import RECORDS, JsonlStore, Record
from analysis.records.study import read_study
from topformer.errors import InputError, StudyError

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
    "height_px",
    "width_px",
    "seed",
    "evaluator",
    "data",
    "budget_iterations",
    "seconds",
    "finished",
    "reason",
)
"""The columns that every record has, in order; a quantity has its unit in its name."""

_OF = {"height_px": "height", "width_px": "width", "budget_iterations": "budget"}
"""Column to the member of a record, where the names differ."""


def row(record: Record) -> dict[str, Cell]:
    """The record as one row.

    After the fixed columns come `axis:NAME` for each label and, for each metric, its value under its own name
    with `:low`, `:high` (ends of the 95 % interval) and `:source` beside it; where its error has two parts also
    `:shared_sd` and `:own_sd`.
    """
    fidelity = record.fidelity
    own: dict[str, Cell] = {"state": record.state.value, "evaluator": fidelity.evaluator, "data": fidelity.data}
    cells: dict[str, Cell] = {
        name: own[name] if name in own else getattr(record, _OF.get(name, name)) for name in FIXED
    }
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


def load(*runs: str | Path) -> "DataFrame":
    """The trials of one or several runs as one table: one row per trial, one column per quantity.

    Columns, always in this order: `run`, the name of the folder; those of `FIXED`, `finished` as a time in UTC; then
    `axis:NAME`, the label of each axis; then for each metric its value by its own name, such as `latency_ms@DEVICE` in
    milliseconds, `miou@DATA` in percent, `macs` and `parameters` in ones, `peak_activation_bytes`, each with `:low`,
    `:high` and `:source` beside it. NaN stands where a run has no such quantity.

    Args:
        runs: Run folders, or their names under `runs/`; a run may still be going on.

    Raises:
        StudyError: One of them is no run folder, or is named twice.
        RecordError: A record is broken, or a folder holds records of several studies.
        InputError: No run is named.
    """
    from pandas import concat, to_datetime

    folders = [_folder(run) for run in runs]
    if not folders:
        raise InputError("load needs at least one run folder, got none")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise StudyError(f"runs must be different folders, got {', '.join(map(str, folders))}")
    frames = []
    for folder in folders:
        frame = to_frame(read_study(JsonlStore(folder / RECORDS)).records)
        frame.insert(0, "run", folder.resolve().name)
        frames.append(frame)
    merged = concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    merged["finished"] = to_datetime(merged["finished"], utc=True, format="ISO8601", errors="coerce")
    return merged[["run", *columns([dict.fromkeys(merged.columns.drop("run"))])]]


def _folder(run: str | Path) -> Path:
    try:
        return run_folder(str(run))
    except InputError as error:
        raise StudyError(str(error)) from None

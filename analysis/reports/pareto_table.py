"""The ranked records of a study as CSV for programs and as Markdown for people."""

import csv
import io
import json
from collections.abc import Mapping
from functools import partial

from analysis.records.frame import Cell, columns, row
from analysis.records.record import Metric, Record
from analysis.results.pareto import Front, Objective

_COSTS = (Objective("parameters", "min"), Objective("macs", "min"))
"""Shown beside the objectives where records have them."""

_PLACES = {"miou": 2, "latency_ms": 2, "macs": 3, "parameters": 3}
"""Decimal places of a displayed number, by the family of its metric."""


def csv_table(front: Front) -> str:
    """All ranked records, front first, with every column of a record.

    Before the columns of `analysis.records.frame.row` stand `pareto_rank` (0 is the front) and `pareto_probability`,
    after them `design`, the design as JSON. Numbers have at most six significant digits, whole numbers all.
    """
    order = sorted(range(len(front.records)), key=lambda i: (front.ranks[i], _first(front, front.records[i])))
    rows = [row(front.records[i]) for i in order]
    names = columns(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["pareto_rank", "pareto_probability", *names, "design"])
    for i, cells in zip(order, rows, strict=True):
        design = json.dumps(front.records[i].design, separators=(",", ":"))
        found = [_six_digits(cells.get(name)) for name in names]
        writer.writerow([front.ranks[i], _six_digits(front.probabilities[i]), *found, design])
    return text.getvalue()


def markdown_table(front: Front, anchors: Mapping[str, str] | None = None) -> str:
    """The front, best in the first objective first; numbers with their 95 % interval where one is known.

    Args:
        front: The ranked records.
        anchors: Fingerprint to name, for records that deserve one.
    """
    costs = [goal for goal in _COSTS if goal.name not in {known.name for known in front.objectives}]
    goals = [*front.objectives, *(goal for goal in costs if all(goal.name in one.metrics for one in front.members))]
    axes = columns([{f"axis:{name}": label for name, label in one.labels.items()} for one in front.members])
    chances = dict(zip(map(id, front.records), front.probabilities, strict=True))
    header = ["design", *map(_heading, goals), "P(on front)", *(name.removeprefix("axis:") for name in axes)]
    lines = [header, ["---", *["---:"] * (len(goals) + 1), *["---"] * len(axes)]]
    for one in front.members:
        name = (anchors or {}).get(one.fingerprint)
        lines.append(
            [
                f"`{one.fingerprint}`" + (f" ({name})" if name else ""),
                *map(partial(_shown, one), goals),
                f"{chances[id(one)]:.2f}",
                *(one.labels.get(axis.removeprefix("axis:"), "") for axis in axes),
            ]
        )
    return "".join(f"| {' | '.join(map(_escape, cells))} |\n" for cells in lines)


def format_metric(metric: Metric, goal: Objective) -> str:
    """The displayed number, with its 95 % interval where one is known: `43.10 [38.20, 48.60]`."""
    places = _PLACES.get(goal.name.partition("@")[0])

    def digits(value: float) -> str:
        return f"{goal.scale * value:.4g}" if places is None else f"{goal.scale * value:.{places}f}"

    if metric.low is None or metric.high is None:
        return digits(metric.value)
    return f"{digits(metric.value)} [{digits(metric.low)}, {digits(metric.high)}]"


def _shown(record: Record, goal: Objective) -> str:
    return format_metric(record.metrics[goal.name], goal)


def _heading(goal: Objective) -> str:
    return f"{goal.label} ({goal.unit})" if goal.unit else goal.label


def _first(front: Front, record: Record) -> float:
    goal = front.objectives[0]
    return goal.sign * record.metrics[goal.name].value


def _six_digits(cell: Cell) -> Cell:
    """A number of at most six significant digits, or every digit of a whole one."""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else f"{cell:.6g}"
    return cell


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

"""The ranked records of a study as CSV for programs and as Markdown for people."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from analysis.records.design_text import design_text
from analysis.records.frame import Cell, columns, row
from analysis.records.record import Metric, Record
from analysis.reports.text_table import TextTable, csv_lines, markdown
from analysis.results.pareto import Front, Objective

_COSTS = (Objective("parameters", "min"), Objective("macs", "min"))
"""Shown beside the objectives where records have them."""

_PLACES = {"miou": 2, "latency_ms": 2, "macs": 3, "parameters": 3}
"""Decimal places of a displayed number, by the family of its metric."""

_DIGITS = 6
"""Significant digits of a number in the CSV: more than any of them is measured with."""

_LINES = 2000
"""Of a piece of the CSV: a table of a hundred thousand records is never in memory as a whole."""


def csv_table(front: Front) -> Iterator[str]:
    """All ranked records, front first, with every column of a record, in pieces of some thousand lines.

    Before the columns of `analysis.records.frame.to_frame` stand `pareto_rank` (0 is the front) and
    `pareto_probability`, after them `design`, the design as JSON. Whole numbers keep all digits, others six.
    """
    order = sorted(range(len(front.records)), key=lambda i: (front.ranks[i], _first(front, front.records[i])))
    names = ["pareto_rank", "pareto_probability", *columns(row(record) for record in front.records), "design"]
    lines: list[Sequence[Cell]] = [names]
    for start in range(0, len(order), _LINES):
        cells = (_cells(front, i) for i in order[start : start + _LINES])
        lines += [[one.get(name) for name in names] for one in cells]
        yield csv_lines(lines, digits=_DIGITS)
        lines = []


def _cells(front: Front, place: int) -> dict[str, Cell]:
    record = front.records[place]
    ranked: dict[str, Cell] = {
        "pareto_rank": front.ranks[place],
        "pareto_probability": front.probabilities[place],
        "design": design_text(record.design),
    }
    return ranked | row(record)


def markdown_table(front: Front, anchors: Mapping[str, str] | None = None) -> str:
    """The front, best in the first objective first; numbers with their 95 % interval where there is one.

    Args:
        front: The ranked records.
        anchors: Fingerprint to name, for records that deserve one.
    """
    names = {goal.name for goal in front.objectives}
    costs = [goal for goal in _COSTS if goal.name not in names]
    goals = [*front.objectives, *(goal for goal in costs if all(goal.name in one.metrics for one in front.members))]
    axes = list(dict.fromkeys(axis for one in front.members for axis in one.labels))
    chances = dict(zip(map(id, front.records), front.probabilities, strict=True))
    rows = [
        [
            _name(one, anchors or {}),
            *map(partial(_shown, one), goals),
            f"{chances[id(one)]:.2f}",
            *(one.labels.get(axis, "") for axis in axes),
        ]
        for one in front.members
    ]
    return markdown(TextTable.of("Pareto front", _header(goals, axes), rows, left=axes))


def _header(goals: Sequence[Objective], axes: Sequence[str]) -> list[str]:
    return ["design", *map(_heading, goals), "P(on front)", *axes]


def _name(record: Record, anchors: Mapping[str, str]) -> str:
    name = anchors.get(record.fingerprint)
    return f"`{record.fingerprint}`" + (f" ({name})" if name else "")


def format_metric(metric: Metric, goal: Objective) -> str:
    """The displayed number, with its 95 % interval where there is one: `43.10 [38.20, 48.60]`."""
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

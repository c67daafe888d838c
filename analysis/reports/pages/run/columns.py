"""The records of a run as columns: what the script of the page draws, filters and sorts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis.plots.design_drawing import draw_design
from analysis.records.record import Metric, Record, State, to_json
from analysis.reports.pages.card import in_words
from analysis.reports.pages.run.facts import Facts
from analysis.results.pareto import Objective, own_interval
from topformer.codec import from_json
from topformer.errors import DesignError

DETAILED = 150
"""Designs with a drawing and their whole record in the page, best rank first; of others it names the commands."""
_DIGITS = 5
"""Significant digits of a number in the page."""
_STATES = (State.COMPLETE, State.PRUNED, State.FAILED)


def columns(facts: Facts) -> dict[str, Any]:
    """Everything that the script needs, as plain JSON: a list per column, each as long as there are records."""
    records = _ordered(facts)
    ranks = {id(one): rank for one, rank in zip(facts.ranked.records, facts.ranked.ranks, strict=True)}
    chances = {id(one): chance for one, chance in zip(facts.ranked.records, facts.ranked.probabilities, strict=True)}
    goals = {"x": facts.price, "y": facts.worth}
    detailed = [place for place, record in enumerate(records) if id(record) in ranks][:DETAILED]
    drawings = {
        place: drawing
        for place in detailed
        if (drawing := _drawing(records[place], facts.ids[records[place].fingerprint]))
    }
    return {
        "run": facts.name,
        "goals": {name: _goal(goal) for name, goal in goals.items()},
        "isTwo": len(facts.ranked.objectives) == 2,
        "limit": facts.limit,
        "unranked": "lower rung" if facts.run.rungs else "not comparable",
        "states": [state.value for state in _STATES],
        "id": [record.fingerprint.partition("@")[0] for record in records],
        "size": _coded(f"{record.height}x{record.width}" for record in records),
        "name": [facts.ids[record.fingerprint] for record in records],
        "isAnchor": [int(record.origin == "anchor") for record in records],
        "trial": [record.trial for record in records],
        "state": [_STATES.index(record.state) for record in records],
        "rank": [ranks.get(id(record)) for record in records],
        "chance": [_short(chances.get(id(record))) for record in records],
        **{f"{name}{end}": values for name, goal in goals.items() for end, values in _metric(records, goal).items()},
        "parameters": [_value(record, "parameters") for record in records],
        "macs": [_value(record, "macs") for record in records],
        "axes": {axis: _coded(record.labels.get(axis, "") for record in records) for axis in facts.axes},
        "words": _coded(facts.words[record.fingerprint] for record in records),
        "reason": _coded(record.reason for record in records),
        "parts": _parts(records),
        "drawings": drawings,
        "records": {place: to_json(records[place]) for place in detailed},
    }


def _ordered(facts: Facts) -> Sequence[Record]:
    """Ranked records first, best rank and best worth first; then all others as they came."""
    ranked = facts.ranked
    key = {
        id(record): (rank, facts.worth.sign * facts.value(record, facts.worth))
        for record, rank in zip(ranked.records, ranked.ranks, strict=True)
    }
    last = (len(key) + 1, 0.0)
    return sorted(facts.run.records, key=lambda record: key.get(id(record), last))


def _goal(goal: Objective) -> dict[str, Any]:
    return {"words": in_words(goal), "unit": goal.unit, "scale": goal.scale, "isMax": goal.direction == "max"}


def _metric(records: Iterable[Record], goal: Objective) -> dict[str, list[float | None]]:
    metrics = [record.metrics.get(goal.name) for record in records]
    return {
        "": [_scaled(goal, one, "value") for one in metrics],
        "Low": [_scaled(goal, one, "low") for one in metrics],
        "High": [_scaled(goal, one, "high") for one in metrics],
        **_own(metrics, goal),
    }


def _own(metrics: Sequence[Metric | None], goal: Objective) -> dict[str, list[float | None]]:
    """Ends of the error of each design alone, where any is known."""
    found = [None if one is None else own_interval(one) for one in metrics]
    if not any(found):
        return {}
    ends = (("OwnLow", 0), ("OwnHigh", 1))
    return {name: [None if one is None else _short(goal.scale * one[end]) for one in found] for name, end in ends}


def _scaled(goal: Objective, metric: Metric | None, end: str) -> float | None:
    value = None if metric is None else getattr(metric, end)
    return None if value is None else _short(goal.scale * value)


def _value(record: Record, name: str) -> float | None:
    metric = record.metrics.get(name)
    return None if metric is None else _short(metric.value)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _coded(texts: Iterable[str]) -> dict[str, Any]:
    """Different texts once, and the place of each among them."""
    listed = list(texts)
    places = {text: place for place, text in enumerate(dict.fromkeys(listed))}
    return {"texts": list(places), "of": [places[text] for text in listed]}


def _parts(records: Sequence[Record]) -> dict[str, list[float | None]]:
    """Part of the network to its predicted milliseconds, where records have them."""
    found = [record.details.get("latency_by_module") for record in records]
    shares: list[Mapping[str, Any]] = [one if isinstance(one, Mapping) else {} for one in found]
    names = dict.fromkeys(name for one in shares for name in one)
    return {name: [_number(one.get(name)) for one in shares] for name in names}


def _number(value: object) -> float | None:
    return _short(float(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _drawing(record: Record, title: str) -> str | None:
    """The drawing of a design; None of one of another version."""
    try:
        return draw_design(from_json(dict(record.design)), title)
    except DesignError:
        return None

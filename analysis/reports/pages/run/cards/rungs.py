"""The rungs of a study that climbs: what each is, who went on, and what the last one confirms."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analysis.records.record import Record, State
from analysis.reports.pages.card import Card, digits, figure, paragraphs, table
from analysis.reports.pages.provenance import spent
from analysis.reports.pages.run.facts import Facts
from analysis.reports.study_rungs import StudyRung

PLACE = 25
_SHOWN = 100
"""Designs that went on which are listed, those of the highest rungs first."""
_SAID = (
    "Numbers of two rungs are never ranked together: the front above is that of the last rung alone. A dot is a design "
    "that came to the last rung; how the two orders agree is Kendall's tau, of those designs alone."
)
_FEW = 5
"""Designs below which no tau is stated."""

Values = Sequence[Mapping[str, Record]]
"""For each rung fingerprint to its record."""


def compute(facts: Facts) -> Card | None:
    """A table of the rungs, each lower one against the last, and the designs that went on."""
    rungs = facts.run.rungs
    if not rungs:
        return None
    values = _values(facts)
    head = ["rung", "accuracy", "from", "designs", "go on", "went on", "time", "tau with the last"]
    parts = [
        table(head, _rungs(rungs, values), "The rungs, cheapest first"),
        _drawn(facts, values),
        paragraphs([_SAID], "hint"),
        _designs(facts, values),
    ]
    return Card(id="rungs", title="Rung by rung", html="".join(parts), is_wide=True)


def _values(facts: Facts) -> Values:
    """The complete records of each rung; of several seeds their mean, as the run has it."""
    found: list[dict[str, Record]] = [{} for _ in facts.run.rungs]
    places = {rung.fidelity: place for place, rung in enumerate(facts.run.rungs)}
    for record in facts.run.records:
        place = places.get(record.fidelity)
        if record.state is State.COMPLETE and place is not None and facts.run.rungs[place].metric in record.metrics:
            found[place].setdefault(record.fingerprint, record)
    return found


def _rungs(rungs: Sequence[StudyRung], values: Values) -> Iterator[list[str]]:
    for place, (rung, found) in enumerate(zip(rungs, values, strict=True)):
        above = values[place + 1] if place + 1 < len(rungs) else {}
        went = sum(name in above for name in found)
        budget = f", {rung.fidelity.budget:,} iterations" if rung.fidelity.budget else ""
        yield [
            str(place + 1),
            rung.metric,
            f"{rung.fidelity.evaluator.partition(':')[0]}{budget}",
            f"{len(found):,}",
            rung.promotion,
            f"{went:,}" if place + 1 < len(rungs) else "",
            spent(sum(record.seconds for record in found.values())),
            _tau(_pairs(rungs, values, place)) if place + 1 < len(rungs) else "",
        ]


def _pairs(rungs: Sequence[StudyRung], values: Values, place: int) -> list[tuple[str, float, float]]:
    """Fingerprint, what a rung said, and what the last rung says, of the designs that came to it."""
    last = values[-1]
    return [
        (name, record.metrics[rungs[place].metric].value, last[name].metrics[rungs[-1].metric].value)
        for name, record in values[place].items()
        if name in last
    ]


def _tau(pairs: Sequence[tuple[str, float, float]]) -> str:
    if len(pairs) < _FEW:
        return f"{len(pairs)} designs are too few"
    # Only here: scipy takes half a second to import, and most runs have no rungs.
    from analysis.results.ladder import kendall

    found = kendall([(np.array([x for _, x, _ in pairs]), np.array([y for _, _, y in pairs]))])
    return (
        "one of them says the same of all" if found is None else f"{found.tau:.2f} [{found.low:.2f}, {found.high:.2f}]"
    )


def _drawn(facts: Facts, values: Values) -> str:
    # Only here: matplotlib takes longer to import than all the rest to run.
    from analysis.plots.ladder import Panel, panels_svg
    from analysis.plots.words import metric_words

    rungs = facts.run.rungs
    panels = [
        Panel(
            title=f"rung {place + 1}: {metric_words(rungs[place].metric)}",
            note="",
            points=[(facts.ids[name], x, y) for name, x, y in pairs],
            source=next(iter(values[place].values())).metrics[rungs[place].metric].source,
        )
        for place in range(len(rungs) - 1)
        if (pairs := _pairs(rungs, values, place))
    ]
    if not panels:
        return paragraphs(["No design has come to the last rung yet."])
    caption = "What a lower rung said of the designs that came to the last one, and what that says of them."
    return figure(panels_svg(panels, f"last rung: {metric_words(rungs[-1].metric)}", "rungs"), caption)


def _designs(facts: Facts, values: Values) -> str:
    rungs = facts.run.rungs
    highest: dict[str, int] = defaultdict(int)
    for place, found in enumerate(values):
        for name in found:
            highest[name] = place
    went = sorted((name for name, place in highest.items() if place), key=lambda name: -highest[name])
    if not went:
        return ""
    on_front = {record.fingerprint for record in facts.members}
    rows = [
        [facts.ids[name], *(_shown(rung, found.get(name)) for rung, found in zip(rungs, values, strict=True)),
         "on it" if name in on_front else ""]
        for name in went[:_SHOWN]
    ]  # fmt: skip
    head = ["design", *(f"rung {place + 1}: {rung.metric}" for place, rung in enumerate(rungs)), "front"]
    more = [f"{len(went) - _SHOWN:,} more went on."] if len(went) > _SHOWN else []
    return table(head, rows, f"The {len(went):,} designs that went on, and what each rung said") + paragraphs(more)


def _shown(rung: StudyRung, record: Record | None) -> str:
    if record is None:
        return ""
    metric, seeds = record.metrics[rung.metric], record.details.get("seeds")
    interval = "" if metric.low is None or metric.high is None else f" [{digits(metric.low)}, {digits(metric.high)}]"
    count = f" ({len(seeds)} seeds)" if isinstance(seeds, dict) and len(seeds) > 1 else ""
    return f"{digits(metric.value)}{interval}{count}"

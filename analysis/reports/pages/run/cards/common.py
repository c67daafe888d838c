"""What the designs on the front have in common, against all that were evaluated."""

from collections import Counter
from collections.abc import Iterable, Iterator
from operator import itemgetter

from analysis.records.record import Record
from analysis.reports.pages.card import Card, bar, paragraphs, table
from analysis.reports.pages.run.facts import Facts

PLACE = 30
_FEW = 5
"""Designs of a front below which what they share may be chance, as the card says."""


def compute(facts: Facts) -> Card | None:
    """The most frequent label of each axis on the front, and how frequent it is elsewhere."""
    if len(facts.members) < 2:
        return None
    rows = sorted(_rows(facts), key=itemgetter(0), reverse=True)
    shared = [f"{axis} {label}" for _, axis, label, front, _ in rows if front == 1]
    lead = f"All {len(facts.members)} designs have: {', '.join(shared)}." if shared else ""
    few = f"They are only {len(facts.members)}: some of this may be chance." if len(facts.members) < _FEW else ""
    cells = [
        [axis, label, f"{front:.0%}", bar(front), f"{everywhere:.0%}", bar(everywhere)]
        for _, axis, label, front, everywhere in rows
    ]
    head = ["axis", "label", "on the front", "", "evaluated", ""]
    text = paragraphs(line for line in (lead, few) if line)
    return Card(
        id="common",
        title="What the front has in common",
        html=text + table(head, cells, "Most frequent label on the front, and its share of all evaluated designs"),
    )


def _rows(facts: Facts) -> Iterator[tuple[float, str, str, float, float]]:
    """How much more frequent a label is on the front than elsewhere, axis, label, and both shares."""
    for axis in facts.axes:
        here, there = _shares(axis, facts.members), _shares(axis, facts.ranked.records)
        if len(there) > 1:
            label, share = max(here.items(), key=itemgetter(1), default=("", 0.0))
            yield share - there.get(label, 0.0), axis, label, share, there.get(label, 0.0)


def _shares(axis: str, records: Iterable[Record]) -> dict[str, float]:
    counts = Counter(record.labels[axis] for record in records if axis in record.labels)
    return {label: count / counts.total() for label, count in counts.items()}

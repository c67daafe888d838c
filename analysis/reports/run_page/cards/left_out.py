"""The designs that gave no accuracy, and why."""

import re
from collections import Counter

from analysis.records.record import Record, State
from analysis.reports.run_page.card import Card, paragraphs, table
from analysis.reports.run_page.facts import Facts

PLACE = 80
_SHOWN = 12
"""Reasons that are listed."""
_NUMBER = re.compile(r"(?<![\w.])\d[\d.,]*(?:e[+-]?\d+)?(?!\w)")
_LONG = 160
"""Characters of a reason that are shown."""


def compute(facts: Facts) -> Card | None:
    """Pruned and failed trials by their reason, the most frequent first."""
    left = [record for record in facts.run.records if record.state is not State.COMPLETE]
    if not left:
        return None
    counts = Counter((record.state, _kind(record)) for record in left)
    example: dict[tuple[State, str], Record] = {}
    for record in left:
        example.setdefault((record.state, _kind(record)), record)
    rows = [
        [key[0].value, f"{count:,}", key[1], _example(facts, example[key])] for key, count in counts.most_common(_SHOWN)
    ]
    more = len(counts) - len(rows)
    notes = [f"{more:,} more reasons are in the records."] if more > 0 else []
    said = "Pruned designs cost no training: a limit decided against them. Failed ones gave no accuracy."
    return Card(
        id="left-out",
        title="Pruned and failed",
        html=table(["state", "trials", "reason", "for example"], rows, "By reason")
        + paragraphs([*notes, said], "hint"),
    )


def _example(facts: Facts, record: Record) -> str:
    return f"{facts.ids[record.fingerprint]}: {record.reason[:_LONG]}"


def _kind(record: Record) -> str:
    """The reason without its numbers, so that one reason is one row."""
    return _NUMBER.sub("...", record.reason)[:_LONG] or "no reason recorded"

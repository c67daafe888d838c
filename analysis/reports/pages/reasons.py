"""Records that gave no accuracy, by the reason that they hold."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from analysis.records.record import Record, State
from analysis.reports.pages.card import paragraphs, table

_SHOWN = 12
"""Reasons that are listed."""
_NUMBER = re.compile(r"(?<![\w.])\d[\d.,]*(?:e[+-]?\d+)?(?!\w)")
_LONG = 160
"""Characters of a reason that are shown."""


def by_reason(records: Sequence[Record], named: Callable[[Record], str]) -> str:
    """The reasons as a table, the most frequent first, each with an example.

    Args:
        records: Pruned and failed ones.
        named: What a record is called.
    """
    counts = Counter(map(_kind, records))
    example: dict[tuple[State, str], Record] = {}
    for record in records:
        example.setdefault(_kind(record), record)
    rows = [
        [state.value, f"{count:,}", reason, f"{named(one)}: {one.reason[:_LONG]}"]
        for (state, reason), count in counts.most_common(_SHOWN)
        for one in [example[state, reason]]
    ]
    more = len(counts) - len(rows)
    notes = [f"{more:,} more reasons are in the records."] if more > 0 else []
    return table(["state", "trials", "reason", "for example"], rows, "By reason") + paragraphs(notes, "hint")


def _kind(record: Record) -> tuple[State, str]:
    """The state, and the reason without its numbers, so that one reason is one row."""
    return record.state, _NUMBER.sub("...", record.reason)[:_LONG] or "no reason recorded"

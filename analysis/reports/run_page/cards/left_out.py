"""The designs that gave no accuracy, and why."""

from collections import Counter, defaultdict

from analysis.records.record import Record, State
from analysis.reports.run_page.card import Card, paragraphs, table
from analysis.reports.run_page.facts import Facts

PLACE = 80
_SHOWN = 12
"""Reasons that are listed."""
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
    trials: dict[State, int] = defaultdict(int)
    for record in left:
        trials[record.state] += 1
    rows = [
        [key[0].value, f"{count:,}", key[1], f"{facts.ids[example[key].fingerprint]} (trial {example[key].trial})"]
        for key, count in counts.most_common(_SHOWN)
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


def _kind(record: Record) -> str:
    """The reason without its numbers, so that one reason is one row."""
    reason = record.reason.partition(":")[0] if record.state is State.PRUNED else record.reason
    return reason[:_LONG] or "no reason recorded"

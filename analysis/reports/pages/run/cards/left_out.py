"""The designs that gave no accuracy, and why."""

from analysis.records.record import State
from analysis.reports.pages.card import Card, paragraphs
from analysis.reports.pages.reasons import by_reason
from analysis.reports.pages.run.facts import Facts

PLACE = 80


def compute(facts: Facts) -> Card | None:
    """Pruned and failed trials by their reason, the most frequent first."""
    left = [record for record in facts.run.records if record.state is not State.COMPLETE]
    if not left:
        return None
    said = "Pruned designs cost no training: a limit decided against them. Failed ones gave no accuracy."
    found = by_reason(left, lambda record: facts.ids[record.fingerprint])
    return Card(id="left-out", title="Pruned and failed", html=found + paragraphs([said], "hint"))

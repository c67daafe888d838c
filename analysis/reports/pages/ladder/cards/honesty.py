"""How far the taus can be trusted."""

from analysis.reports.ladder_table import ladder_notes
from analysis.reports.pages.card import Card, items
from analysis.reports.pages.ladder.facts import LadderFacts

PLACE = 90
_SAID = (
    "Intervals are those of a bootstrap over designs: they say what other designs of the same space would show, not "
    "other spaces or data.",
    "Best quarter: tau among the quarter of the designs that is truly best. Regret of ten: what is lost by training "
    "only the ten designs that the rung likes best, in points of the truth.",
)


def compute(facts: LadderFacts) -> Card:
    """Ceiling, noise, shared seeds, and how to read the columns."""
    notes = [] if facts.found is None else ladder_notes(facts.found)
    lines = [f"{note[:1].upper()}{note[1:]}." for note in notes]
    return Card(id="honesty", title="How sure is this", html=items([*lines, *_SAID]))

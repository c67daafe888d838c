"""All designs as lines through their labels."""

from analysis.reports.pages.card import Card, in_words, paragraphs
from analysis.reports.pages.run.facts import Facts

PLACE = 60
_LEAST = 3
"""Lines below which there is no pattern to see."""


def compute(facts: Facts) -> Card | None:
    """A place that the script of the page fills."""
    if len(facts.ranked.records) < _LEAST or not facts.axes:
        return None
    hint = (
        f"A line is an evaluated design, its colour the {in_words(facts.worth)}; of very many, the front and some "
        "hundred others from best to worst are drawn. Drag along an axis to keep a part of it. The table above holds "
        "the same numbers."
    )
    drawn = '<div class="scroll"><div id="parallel" role="img" aria-label="Parallel coordinates"></div></div>'
    return Card(
        id="lines", title="All designs through their labels", html=drawn + paragraphs([hint], "hint"), is_wide=True
    )

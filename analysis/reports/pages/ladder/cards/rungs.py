"""What each rung is worth, against what it costs."""

from analysis.reports.ladder_table import ladder_table
from analysis.reports.pages.card import Card, figure, text_table
from analysis.reports.pages.ladder.facts import LadderFacts

PLACE = 20
_FIGURE = (
    "Up: more of the order of full trainings. Left: cheaper. No rung can agree with trainings better than they do with "
    "each other under another seed: that is the ceiling."
)


def compute(facts: LadderFacts) -> Card | None:
    """The figure, and the same numbers as a table."""
    if facts.found is None:
        return None
    # Only here: matplotlib takes longer to import than all the rest to run.
    from analysis.plots.ladder import ladder_svg

    has_any = any(one.tau is not None for one in facts.found.rungs)
    drawn = figure(ladder_svg(facts.found), _FIGURE) if has_any else ""
    shown = text_table(ladder_table(facts.found))
    return Card(id="rungs", title="What each rung is worth", html=drawn + shown, is_wide=True)

"""Which axes decide."""

from analysis.reports.pages.card import Card, bar, in_words, paragraphs, table
from analysis.reports.pages.run.facts import Facts
from analysis.results.importance import LEAST, importance

PLACE = 40
_TITLE = "Which axes decide"


def compute(facts: Facts) -> Card | None:
    """The share of each axis in what tells the best trials from all of them, for both objectives."""
    records = facts.ranked.records
    if not records:
        return None
    if len(records) < LEAST:
        few = f"{len(records)} evaluated designs are too few to tell; it takes {LEAST} at least."
        return Card(id="importance", title=_TITLE, html=paragraphs([few]))
    labels = [record.labels for record in records]
    goals = list(dict.fromkeys((facts.worth, facts.price)))
    found = [importance(labels, [goal.sign * facts.value(one, goal) for one in records]) for goal in goals]
    shares = [each.shares for each in found if each is not None]
    cells = [[axis, *(cell for one in shares for cell in (f"{one[axis]:.0%}", bar(one[axis])))] for axis in shares[0]]
    best = next(each.best for each in found if each is not None)
    head = ["axis", *(cell for goal in goals for cell in (in_words(goal), ""))]
    said = (
        f"How much the labels of the {best} best of {len(records):,} designs differ from those of all, as a share over "
        "the axes (PED-ANOVA, Watanabe et al., IJCAI 2023). An axis that was hardly varied cannot show."
    )
    return Card(
        id="importance", title=_TITLE, html=table(head, cells, "Importance of each axis") + paragraphs([said], "hint")
    )

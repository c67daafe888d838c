"""What each label goes with."""

from collections.abc import Iterator, Sequence

from analysis.reports.pages.card import Card, in_words, paragraphs, span, table
from analysis.reports.pages.run.facts import Facts
from analysis.results.effects import Difference
from analysis.results.label_effects import LabelEffect, label_effects
from analysis.results.pareto import Objective

PLACE = 50


def compute(facts: Facts) -> Card | None:
    """For each label the designs that have it against those that do not, with 95 % intervals."""
    records = facts.ranked.records
    labels = [record.labels for record in records]
    goals = list(dict.fromkeys((facts.worth, facts.price)))
    effects = [label_effects(labels, [facts.value(record, goal) for record in records]) for goal in goals]
    if not effects[0]:
        return None
    head = ["axis: label", "designs", *(cell for goal in goals for cell in (f"{in_words(goal)} ({goal.unit})", ""))]
    said = (
        "Mean of the designs with the label minus mean of those with another one, with the 95 % interval of Welch's "
        "test, not corrected for their number. A sampler tries some labels together, so that this says where to look, "
        "not what causes what: an ablation does (topformer ablate)."
    )
    return Card(
        id="effects",
        title="What each label goes with",
        html=table(head, _rows(effects, goals), "Main effects") + paragraphs([said], "hint"),
        is_wide=True,
    )


def _rows(effects: Sequence[Sequence[LabelEffect]], goals: Sequence[Objective]) -> Iterator[list[str]]:
    most = [max(abs(each.gap.mean) for each in one) * 1.5 for one in effects]
    for same in zip(*effects, strict=True):
        cells = [f"{same[0].axis}: {same[0].label}", f"{same[0].trials:,}"]
        for each, goal, end in zip(same, goals, most, strict=True):
            cells += [_shown(each.gap, goal), span(each.gap.mean, each.gap.low, each.gap.high, end)]
        yield cells


def _shown(gap: Difference, goal: Objective) -> str:
    mean = f"{goal.scale * gap.mean:+.2f}"
    if gap.low is None or gap.high is None:
        return f"{mean} (no interval)"
    return f"{mean} [{goal.scale * gap.low:+.2f}, {goal.scale * gap.high:+.2f}]"

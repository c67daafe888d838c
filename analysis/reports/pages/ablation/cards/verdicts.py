"""What an ablation says of the paper's claims, all tables together."""

from collections.abc import Iterator

from analysis.reports.ablation_table import difference_cells, heading, paper_words, verdict
from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.card import Card, paragraphs, span, table

PLACE = 20
_HEAD = ("table", "row", "minus baseline [95 %]", "", "p (Holm)", "the paper", "verdict")
_SAID = (
    "Mean of the row minus mean of its table's baseline, with the 95 % interval of Welch's test; p is corrected for "
    "the comparisons of the table (Holm). Where there is no verdict: seeds with which there could be one, if the "
    "measured difference is the true one."
)


def compute(facts: AblationFacts) -> Card | None:
    """A row for every claim that a run can speak to."""
    rows = list(_rows(facts))
    if not rows:
        return None
    return Card(
        id="verdicts",
        title="What it says of the paper's claims",
        html=table(_HEAD, rows, "Differences from the baseline") + paragraphs([_SAID], "hint"),
        is_wide=True,
    )


def _rows(facts: AblationFacts) -> Iterator[list[str]]:
    told = [
        (owner, row, measured, measured.difference)
        for owner, row, measured in facts.measured
        if measured.difference is not None and row.label != owner.baseline
    ]
    most = max((abs(end) for *_, gap in told for end in (gap.mean, gap.low, gap.high) if end is not None), default=0.0)
    for owner, row, measured, gap in told:
        mean, p = difference_cells(gap)
        claim = paper_words(row) if owner.source else ""
        drawn = span(gap.mean, gap.low, gap.high, most)
        yield [heading(owner).partition(":")[0], row.label, mean, drawn, p, claim, verdict(measured)]

"""An ablation in a few sentences."""

from collections import Counter
from collections.abc import Iterator

from analysis.records.record import State
from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.card import Card, paragraphs
from analysis.results.effects import Agreement

PLACE = 10
_WORDS = {
    Agreement.AGREES: "agree",
    Agreement.DISAGREES: "disagree",
    Agreement.CANNOT_TELL: "cannot be told yet",
    Agreement.UNKNOWN: "of which it says nothing",
}


def compute(facts: AblationFacts) -> Card:
    """What ran, and how many of the paper's claims it agrees with."""
    return Card(id="summary", title="In short", html=paragraphs(_lines(facts)), is_wide=True)


def _lines(facts: AblationFacts) -> Iterator[str]:
    still = " It goes on; this page shows what is recorded so far." if facts.is_running else ""
    if not facts.records:
        costs = " The tables hold costs and printed figures alone." if facts.tables else ""
        yield f"No run has ended yet.{costs}{still}"
        return
    rows = list(facts.measured)
    shown = sum(measured.summary is not None for _, _, measured in rows)
    tables = len({table.id for table, _, measured in rows if measured.summary is not None})
    yield (
        f"{facts.count(State.COMPLETE):,} runs complete, {facts.count(State.FAILED):,} failed. {shown:,} of "
        f"{len(rows):,} rows of {tables} table{'s' if tables != 1 else ''} have an accuracy.{still}"
    )
    verdicts = Counter(measured.agreement for _, _, measured in rows if measured.agreement is not None)
    if verdicts:
        told = ", ".join(f"{verdicts[kind]} {words}" for kind, words in _WORDS.items() if verdicts[kind])
        yield f"Against what the paper says of its rows: {told}."

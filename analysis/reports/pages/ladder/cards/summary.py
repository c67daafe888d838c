"""A ladder in a few sentences."""

from collections.abc import Iterator

from analysis.reports.pages.card import Card, paragraphs
from analysis.reports.pages.ladder.facts import LadderFacts
from analysis.results.ladder import RungQuality

PLACE = 10


def compute(facts: LadderFacts) -> Card:
    """How many designs, which rung ranks best, and which best of those that cost little."""
    return Card(id="summary", title="In short", html=paragraphs(_lines(facts)), is_wide=True)


def _lines(facts: LadderFacts) -> Iterator[str]:
    designs, truth = len(facts.table.designs), facts.table.truth
    judged = len(facts.table.by_seed(truth))
    still = " It goes on; this page shows what is recorded so far." if facts.is_running else ""
    yield f"{designs:,} designs, of which {judged:,} have the truth: {truth.name}, {truth.metric}.{still}"
    if facts.found is None:
        yield f"What its rungs are worth cannot be said: {facts.why}."
        return
    told = [one for one in facts.found.rungs if one.tau is not None]
    counts = [one for one in told if one.source == "exact"]
    paid = [one for one in told if one.source != "exact"]
    if paid:
        yield f"Best order: {_said(facts, max(paid, key=_tau))}."
    untrained = [one for one in paid if one.source != "trained"]
    if untrained:
        yield f"Best without training each design: {_said(facts, max(untrained, key=_tau))}."
    if counts:
        yield f"Best of what is only counted, which every rung must beat: {_said(facts, max(counts, key=_tau))}."


def _tau(one: RungQuality) -> float:
    return -2.0 if one.tau is None else one.tau


def _said(facts: LadderFacts, one: RungQuality) -> str:
    part = None if facts.found is None else facts.found.share(one.tau)
    share = "" if part is None else f", {part:.0%} of the ceiling"
    seconds = f" for {one.seconds_per_design:.3g} s per design" if one.seconds_per_design else ""
    return f"{facts.words(one.rung)}, tau {one.tau:.2f} [{one.low:.2f}, {one.high:.2f}]{share}{seconds}"

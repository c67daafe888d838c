"""The cards of the page of a ladder."""

from dataclasses import replace
from typing import Any

from analysis.reports.pages.ladder import cards
from analysis.reports.pages.ladder.facts import LadderFacts
from analysis.results.truth_table import Rung, TruthTable
from tests.analysis_tests.reports.pages.texts import texts
from tests.analysis_tests.truth_tables import HALF, METRIC, TRUTH, numbered, table

PROXY = Rung(metric="zico@tokenworld-128", source="proxy", iterations=0, schedule=0)


def worth(design: object, seed: int) -> float:
    return float(str(getattr(design, "fingerprint", "")).removeprefix("d")) + seed / 10


def ladder_of(n: int, **changes: Any) -> TruthTable:
    """A table whose parameters order it and whose proxy reverses it."""
    others = {HALF: worth, PROXY: lambda design, seed: -worth(design, seed)}
    return replace(table(numbered(n), worth, others=others), **changes)


def test_every_card_speaks_of_a_whole_table() -> None:
    found = texts(cards, LadderFacts.of(ladder_of(12), "mine"))
    assert list(found) == ["summary", "rungs", "truth", "honesty", "made"]
    assert f"12 designs, of which 12 have the truth: {TRUTH.name}, {METRIC}." in found["summary"]
    assert "Best order: trained 600 of 1200, tau 1.00" in found["summary"]
    assert "Best without training each design: zico, tau -1.00" in found["summary"]
    assert "which every rung must beat: parameters, tau 1.00" in found["summary"]
    assert "zico: tau -1.00" in found["rungs"]
    assert "d3: -3" in found["truth"]
    assert "topformer ladder mine" in found["made"]


def test_too_few_designs_are_said_and_still_drawn() -> None:
    found = texts(cards, LadderFacts.of(ladder_of(3), "mine"))
    assert "cannot be said: a tau needs at least 5 designs with a full training, got 3." in found["summary"]
    assert "rungs" not in found
    assert "d1: 1" in found["truth"]


def test_a_table_without_trainings_says_so() -> None:
    designs = numbered(6)
    scores = {PROXY: table(designs, worth, others={PROXY: worth}).scores[PROXY]}
    found = texts(cards, LadderFacts.of(TruthTable(designs=designs, scores=scores, truth=PROXY), "mine"))
    assert "rungs are held against full trainings" in found["summary"]

"""The page of a ladder as one file."""

from analysis.reports.pages.ladder.facts import LadderFacts
from analysis.reports.pages.ladder.ladder_page import ladder_page
from tests.analysis_tests.reports.pages.run.runs import HOSTILE
from tests.analysis_tests.truth_tables import HALF, noise, numbered, table


def test_a_name_stays_text() -> None:
    protocol = {"name": HOSTILE, "strata": [HOSTILE], "versions": {HOSTILE: HOSTILE}}
    made = table(numbered(6), noise(1.0), others={HALF: noise(1.0)}, protocol=protocol)
    html = ladder_page(LadderFacts.of(made, HOSTILE)).html
    assert "<img" not in html
    assert html.count("</script>") == html.count("<script")


def test_costs_and_rungs_are_said_in_words() -> None:
    facts = LadderFacts.of(table(numbered(6), noise(1.0), others={HALF: noise(1.0)}), "mine")
    assert [facts.words(name) for name in ("macs", HALF.name)] == ["MACs", "trained 600 of 1200"]
    assert [facts.source(name) for name in ("macs", HALF.name)] == ["exact", "trained"]

"""The page of an ablation as one file; the links in it to the files of its tables are relative."""

from analysis.reports.pages.ablation import cards
from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.card import shown_cards
from analysis.reports.pages.page import Page


def ablation_page(facts: AblationFacts) -> Page:
    """The page of an ablation."""
    return Page(
        title=f"Ablations: {facts.name}" if facts.name else "Ablations",
        cards=shown_cards(cards, facts),
        is_running=facts.is_running,
    )

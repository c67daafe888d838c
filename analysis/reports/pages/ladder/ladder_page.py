"""The page of a ladder as one file."""

from analysis.reports.pages.card import shown_cards
from analysis.reports.pages.ladder import cards
from analysis.reports.pages.ladder.facts import LadderFacts
from analysis.reports.pages.page import Page


def ladder_page(facts: LadderFacts) -> Page:
    """The page of a ladder."""
    return Page(title=f"Ladder: {facts.name}", cards=shown_cards(cards, facts), is_running=facts.is_running)

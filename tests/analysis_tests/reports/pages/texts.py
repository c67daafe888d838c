"""What a page says, as text."""

import re
from html import unescape
from types import ModuleType

from analysis.reports.pages.card import shown_cards


def texts(cards: ModuleType, facts: object) -> dict[str, str]:
    """Id of each card to its text."""
    return {card.id: unescape(re.sub(r"<[^>]*>", " ", card.html)) for card in shown_cards(cards, facts)}

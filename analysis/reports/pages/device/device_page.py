"""The page of a device as one file."""

from analysis.reports.pages.card import shown_cards
from analysis.reports.pages.device import cards
from analysis.reports.pages.device.facts import DeviceFacts
from analysis.reports.pages.page import Page


def device_page(facts: DeviceFacts) -> Page:
    """The page of a device."""
    return Page(title=f"Latency on {facts.report.model.name}", cards=shown_cards(cards, facts))

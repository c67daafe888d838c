"""Errors, coverage and order, beside what MACs alone give."""

from analysis.reports.device_tables import error_table
from analysis.reports.pages.card import Card, paragraphs, text_table
from analysis.reports.pages.device.facts import DeviceFacts

PLACE = 30
_SAID = (
    "Errors are the mean and the largest size of predicted / measured - 1, of networks that the fit did not see. MACs "
    "alone: milliseconds = a rate x MACs, the rate fitted to the same other networks. Where the networks are of three "
    "constructions or more, a whole construction is left out at once: a new design is no near copy of a measured one.",
)


def compute(facts: DeviceFacts) -> Card:
    """The table of errors, and how to read it."""
    return Card(
        id="errors", title="How far off", html=text_table(error_table(facts.report)) + paragraphs(_SAID, "hint")
    )

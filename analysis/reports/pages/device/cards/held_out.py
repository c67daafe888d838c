"""Networks that are in no fit of any kind."""

from analysis.reports.device_tables import held_out_table, summary_table
from analysis.reports.pages.card import Card, paragraphs, text_table
from analysis.reports.pages.device.facts import DeviceFacts

PLACE = 50
_CARRIED = (
    "Timed elsewhere: the same networks, where they were timed on other devices of this engine, with what they are off "
    "by there, weighted by how well those devices explain the fitted networks of this one."
)


def compute(facts: DeviceFacts) -> Card | None:
    """Their errors in short, and each of them."""
    report = facts.report
    if not report.held_out:
        return None
    parts = [text_table(summary_table(report)), text_table(held_out_table(report.held_out, "In no fit"))]
    if report.carried:
        parts += [paragraphs([_CARRIED], "hint"), text_table(held_out_table(report.carried, "Timed elsewhere"))]
    return Card(id="held-out", title="Networks that no fit saw", html="".join(parts), is_wide=True)

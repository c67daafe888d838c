"""How a device was measured, and what its model is."""

from analysis.reports.device_tables import coefficients_table, setup_rows
from analysis.reports.pages.card import Card, pairs, text_table
from analysis.reports.pages.device.facts import DeviceFacts
from search_space.latency.describe import leaned_on_text

PLACE = 100


def compute(facts: DeviceFacts) -> Card:
    """Protocol, source and coefficients."""
    model = facts.report.model
    rows = [
        *setup_rows(model.setup),
        ("leans on", leaned_on_text(model) if model.leaned_on else ""),
        ("use it", f"topformer latency tiny --device {facts.name}"),
    ]
    return Card(
        id="made",
        title="How it was made",
        html=pairs(rows, "The measurement") + text_table(coefficients_table(model)),
        is_wide=True,
    )

"""Predicted against measured times."""

from analysis.reports.device_tables import networks_table
from analysis.reports.pages.card import Card, figure, text_table
from analysis.reports.pages.device.facts import DeviceFacts

PLACE = 20
_FIGURE = (
    "A mark is a network, predicted by a fit that did not see it; its line is the 95 % interval. What is pointed at "
    "says its numbers; the three that are off most are named."
)


def compute(facts: DeviceFacts) -> Card:
    """The figure, and each measured network in a table."""
    # Only here: matplotlib takes longer to import than all the rest to run.
    from analysis.plots.latency import device_svg

    report = facts.report
    has_any = bool(report.predictions or report.held_out)
    tables = [networks_table(report.model.rows, "Networks that the model is fitted to")]
    if report.model.others:
        tables.append(networks_table(report.model.others, "Networks beside the fit, which count little in it"))
    drawn = figure(device_svg(report), _FIGURE) if has_any else ""
    return Card(
        id="fit", title="Predicted against measured", html=drawn + "".join(map(text_table, tables)), is_wide=True
    )

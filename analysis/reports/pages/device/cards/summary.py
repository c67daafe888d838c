"""A device in a few sentences."""

from collections.abc import Iterator

from analysis.reports.pages.card import Card, paragraphs
from analysis.reports.pages.device.facts import DeviceFacts

PLACE = 10


def compute(facts: DeviceFacts) -> Card:
    """What was timed, how far predictions are off, and whether they keep the order."""
    return Card(id="summary", title="In short", html=paragraphs(_lines(facts)), is_wide=True)


def _lines(facts: DeviceFacts) -> Iterator[str]:
    report, setup = facts.report, facts.report.model.setup
    count = len(report.model.rows)
    yield (
        f"{setup.chip}, {setup.core}, {setup.runtime}, {setup.threads} thread{'s' if setup.threads > 1 else ''}: a "
        f"model of {count} measured network{'s' if count > 1 else ''}."
    )
    stricter, what = (
        (report.family_out, "whose whole construction the fit did not see")
        if report.family_out is not None
        else (report.row_out, "that the fit did not see")
    )
    beside = "" if report.macs_out is None else f"; a time per MAC alone is off by {report.macs_out.mean:.1%}"
    yield f"Networks {what} are off by {stricter.mean:.1%} on average and {stricter.largest:.1%} at most{beside}."
    if report.held_out_summary is not None:
        found = report.held_out_summary
        yield (
            f"{len(report.held_out)} networks of new constructions, in no fit at all: off by {found.errors.mean:.1%} "
            f"on average and {found.errors.largest:.1%} at most; {found.inside:.0%} of the measured times lie in their "
            "95 % interval."
        )
    if report.kendall is not None and report.kendall_macs is not None:
        yield (
            f"Order: Kendall's tau of measured and predicted times is {report.kendall:.2f}, of measured times and MACs "
            f"{report.kendall_macs:.2f}; 1 is the same order."
        )

"""The two parts of the error: what all designs share, and what is of a single one."""

from analysis.reports.pages.card import Card, paragraphs, table
from analysis.reports.pages.device.facts import DeviceFacts

PLACE = 40
_SAID = (
    "Shared: what a product or a byte costs here is known only so well, which moves all designs by about one factor. "
    "It matters against a limit in milliseconds, and keeps the order of designs.",
    "Own: how far single networks scatter beside the mean of their construction. It is all that blurs which of two "
    "designs is faster. Both are standard deviations of the logarithm; together they give the 95 % interval.",
)


def compute(facts: DeviceFacts) -> Card:
    """The presets, with both parts."""
    rows = [
        [
            name,
            f"{one.milliseconds:.4g} [{one.low:.4g}, {one.high:.4g}]",
            f"{one.shared_sd:.1%}",
            f"{one.own_sd:.1%}",
        ]
        for name, one in facts.presets.items()
    ]
    head = ("design", "predicted ms [95 %]", "shared", "own")
    return Card(
        id="parts",
        title="Errors shared and of one design",
        html=paragraphs(_SAID) + table(head, rows, "What is predicted for the presets, and the two parts of its error"),
    )

"""What each rung says of each design, beside its full training."""

from analysis.reports.pages.card import Card, figure
from analysis.reports.pages.ladder.facts import LadderFacts
from analysis.results.ladder import beside_truth

PLACE = 30
_FIGURE = "A dot is a design. A rung that ranks well rises from left to right without going back."


def compute(facts: LadderFacts) -> Card | None:
    """A panel for each rung and cost that has designs with a truth."""
    found = {name: points for name, points in beside_truth(facts.table).items() if points}
    if not found:
        return None
    # Only here: matplotlib takes longer to import than all the rest to run.
    from analysis.plots.ladder import Panel, panels_svg

    taus = {one.rung: one for one in facts.found.rungs if one.tau is not None} if facts.found is not None else {}
    panels = [
        Panel(
            title=facts.words(name),
            note=f"tau {taus[name].tau:.2f} [{taus[name].low:.2f}, {taus[name].high:.2f}]" if name in taus else "",
            points=[(design.partition("@")[0], *pair) for design, pair in points.items()],
            source=facts.source(name),
        )
        for name, points in found.items()
    ]
    truth = f"{facts.table.truth.metric.partition('@')[0].replace('miou', 'mIoU')}, {facts.table.truth.name}"
    return Card(
        id="truth", title="Each rung beside the truth", html=figure(panels_svg(panels, truth), _FIGURE), is_wide=True
    )

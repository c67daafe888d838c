"""How the run was made."""

from collections.abc import Iterator

from analysis.reports.pages.card import Card, pairs
from analysis.reports.pages.provenance import provenance
from analysis.reports.pages.run.facts import Facts

PLACE = 100


def compute(facts: Facts) -> Card:
    """What the study was, what it was made with, and when."""
    return Card(id="made", title="How it was made", html=pairs(_rows(facts), "The study"))


def _rows(facts: Facts) -> Iterator[tuple[str, str]]:
    run = facts.run
    yield "study", run.name
    yield "space", run.space
    yield "axes", ", ".join(facts.axes)
    yield "objectives", ", ".join(f"{goal.name} ({goal.direction})" for goal in run.objectives)
    yield "limits", ", ".join(f"{name} {limit:g}" for name, limit in run.limits.items())
    yield "sampler", run.sampler
    yield "seed", "" if run.seed is None else str(run.seed)
    yield "screened by cost", f"{len(next(iter(run.screened.values()))):,} designs" if run.screened else ""
    yield from provenance(run.records)
    yield "continue it", f"topformer sweep STUDY.toml --out {run.folder}"

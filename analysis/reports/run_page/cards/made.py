"""How the run was made."""

from collections import Counter
from collections.abc import Iterator

from analysis.records.record import State
from analysis.reports.run_page.card import Card, table
from analysis.reports.run_page.facts import Facts

PLACE = 100


def compute(facts: Facts) -> Card:
    """What the study was, what it was made with, and when."""
    rows = [[name, value] for name, value in _rows(facts) if value]
    return Card(id="made", title="How it was made", html=table(["", ""], rows, "The study"))


def _rows(facts: Facts) -> Iterator[tuple[str, str]]:
    run = facts.run
    yield "study", run.name
    yield "space", run.space
    yield "axes", ", ".join(facts.axes)
    yield "objectives", ", ".join(f"{goal.name} ({goal.direction})" for goal in run.objectives)
    yield "limits", ", ".join(f"{name} {limit:g}" for name, limit in run.limits.items())
    yield "sampler", run.sampler
    yield "seed", "" if run.seed is None else str(run.seed)
    fidelities = Counter(str(one.fidelity) for one in run.records if one.state is State.COMPLETE)
    yield "evaluated as", "; ".join(fidelities)
    yield "screened by cost", f"{len(next(iter(run.screened.values()))):,} designs" if run.screened else ""
    ends = sorted(record.finished for record in run.records if record.finished)
    yield "first and last record", " to ".join(dict.fromkeys([ends[0], ends[-1]])) if ends else ""
    seconds = sum(record.seconds for record in run.records)
    yield (
        "time of all evaluations",
        f"{seconds / 3600:,.1f} hours" if seconds >= 7200 else f"{seconds / 60:,.1f} minutes",
    )
    versions = {name: text for record in run.records for name, text in record.versions.items()}
    yield "versions", ", ".join(f"{name} {text}" for name, text in versions.items())
    yield "continue it", f"topformer sweep STUDY.toml --out {run.folder}"

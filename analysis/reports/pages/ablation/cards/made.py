"""How an ablation was made."""

import json
from collections.abc import Iterator

from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.card import Card, pairs
from analysis.reports.pages.provenance import provenance

PLACE = 100


def compute(facts: AblationFacts) -> Card:
    """Base, seeds, evaluator and data, versions and times."""
    return Card(id="made", title="How it was made", html=pairs(_rows(facts), "The ablation"), is_wide=True)


def _rows(facts: AblationFacts) -> Iterator[tuple[str, str]]:
    source = next((table.evaluation for table in facts.tables if table.evaluation is not None), None)
    if source is not None:
        yield "accuracy on", f"{source.base} at {source.size}, with the edits of each row"
        yield "metric", source.metric
        yield "each run", source.spent
        yield "seeds", ", ".join(map(str, source.seeds))
        settings = {key: value for key, value in source.settings.items() if value not in ("", None)}
        yield "evaluator", ", ".join(f"{key} {_said(value)}" for key, value in settings.items())
        yield "study", source.study
    yield "costs of", ", ".join(dict.fromkeys(table.base for table in facts.tables if table.base))
    yield from provenance(facts.records)
    yield "continue it", f"topformer ablate TABLE ... --out {facts.name}" if facts.name else ""


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)

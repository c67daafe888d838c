"""The runs that gave no accuracy, and why."""

from analysis.records.record import Record, State
from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.card import Card
from analysis.reports.pages.reasons import by_reason

PLACE = 80


def compute(facts: AblationFacts) -> Card | None:
    """Failed runs by their reason."""
    failed = [record for record in facts.records if record.state is not State.COMPLETE]
    return Card(id="left-out", title="Failed", html=by_reason(failed, _named)) if failed else None


def _named(record: Record) -> str:
    asked = record.details.get("ablation", {})
    return f"{asked.get('table', 'a table')}, {asked.get('row', record.fingerprint)}, seed {record.seed}"

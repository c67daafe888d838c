"""How the truth was made."""

import json
from collections.abc import Iterator

from analysis.reports.pages.card import Card, pairs
from analysis.reports.pages.ladder.facts import LadderFacts
from analysis.reports.pages.provenance import spent

PLACE = 100


def compute(facts: LadderFacts) -> Card:
    """What the protocol of the table says, and how many scores each rung has."""
    return Card(id="made", title="How it was made", html=pairs(_rows(facts), "The table"))


def _rows(facts: LadderFacts) -> Iterator[tuple[str, str]]:
    table, protocol = facts.table, facts.table.protocol
    yield "study", str(protocol.get("name", ""))
    space = protocol.get("space")
    yield "space", f"{space.get('name', '')} around {space.get('base', '')}" if isinstance(space, dict) else ""
    yield "truth", f"{table.truth.name}, {table.truth.metric}, {table.truth.evaluator}"
    yield "device of the latencies", str(protocol.get("device") or "")
    yield "strata", ", ".join(map(str, protocol.get("strata") or []))
    for rung, scores in table.scores.items():
        seeds = len({score.seed for score in scores})
        time = spent(sum(score.seconds for score in scores))
        yield f"scores of {rung.name}", f"{len(scores):,}, {seeds} seed{'s' if seeds > 1 else ''}, {time}"
    for name, seconds in table.fixed_seconds.items():
        yield f"once for {name}", spent(seconds)
    versions = protocol.get("versions")
    yield "versions", ", ".join(f"{name} {one}" for name, one in versions.items()) if isinstance(versions, dict) else ""
    yield "evaluator", json.dumps(protocol["evaluator"]) if "evaluator" in protocol else ""
    yield "the same in a terminal", f"topformer ladder {facts.name}"

"""How far the verdicts of an ablation can be trusted."""

from collections import defaultdict
from collections.abc import Iterator

from analysis.records.record import State
from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.card import Card, items
from analysis.results.ablation import Evaluation
from analysis.results.power import noise_sentence, typical_noise

PLACE = 90


def compute(facts: AblationFacts) -> Card | None:
    """What was measured, how much seeds differ, what few of them can show, and what is not in the page."""
    sources = [table.evaluation for table in facts.tables if table.evaluation is not None]
    lines = [*(_lines(facts, sources[0]) if sources else []), *facts.notes]
    return Card(id="honesty", title="How sure is this", html=items(lines)) if lines else None


def _lines(facts: AblationFacts, source: Evaluation) -> Iterator[str]:
    yield (
        f"The accuracy is {source.metric} of {source.base} at {source.size} with the edits of each row, "
        f"{source.spent}; it is not the accuracy that the paper prints: directions can be compared, numbers cannot."
    )
    scores: dict[str, list[float]] = defaultdict(list)
    for record in facts.records:
        if record.state is State.COMPLETE and source.metric in record.metrics:
            scores[record.fingerprint].append(record.metrics[source.metric].value)
    noise = typical_noise(list(scores.values()), "these runs")
    told = noise_sentence(noise)
    yield f"{told[:1].upper()}{told[1:]}."
    few = [runs for runs in scores.values() if len(runs) < 3]
    if few:
        yield f"{len(few)} of {len(scores)} networks ran with fewer than three seeds: of one no interval can be stated."
    missing = sum(measured.summary is None and not measured.failed for _, _, measured in facts.measured)
    if missing:
        yield f"{missing} rows did not run, or not yet."
    yield "Costs are exact counts of the paper's own designs; latencies are predicted, with their 95 % interval."

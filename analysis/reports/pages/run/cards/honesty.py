"""How far the numbers of the page can be trusted."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from analysis.records.record import Metric
from analysis.reports.pages.card import Card, items
from analysis.reports.pages.run.facts import Facts
from analysis.results.power import KNOWN_NOISE, typical_noise
from analysis.results.pruning import wrong_prunes

PLACE = 90
_PUBLISHED = "miou@ade20k"


def compute(facts: Facts) -> Card | None:
    """Metric, noise of the seeds, error of the latency, wrong prunings, and what is not ranked."""
    if not facts.run.records:
        return None
    lines = [*_metric(facts), *_seeds(facts), *_latency(facts), *_pruning(facts), *_left(facts)]
    return Card(id="honesty", title="How sure is this", html=items(lines))


def _metric(facts: Facts) -> Iterator[str]:
    name = facts.worth.name
    sources = Counter(record.metrics[name].source for record in facts.ranked.records)
    if sources:
        yield f"{name} is {' or '.join(sources)}, under {_budgets(facts)} iterations."
    if name.startswith("miou@") and name != _PUBLISHED:
        yield f"{name} is not comparable with published mIoU on ADE20K."


def _budgets(facts: Facts) -> str:
    return ", ".join(f"{budget:,}" for budget in sorted({record.budget for record in facts.ranked.records}))


def _seeds(facts: Facts) -> Iterator[str]:
    """How much the seeds of one design differ: in this run, else as it is known of the metric."""
    scores: dict[str, dict[int, float]] = defaultdict(dict)
    for record in facts.ranked.records:
        scores[record.fingerprint][record.seed] = facts.value(record, facts.worth)
    repeated = [list(one.values()) for one in scores.values() if len(one) > 1]
    noise = facts.run.noise or typical_noise(repeated, "this run") or KNOWN_NOISE.get(facts.worth.name)
    if not scores:
        return
    if noise is None:
        yield (
            "Each point is one seed, so that this run does not tell the noise between seeds: designs closer to each "
            "other than that are not told apart. topformer ablate measures it."
        )
        return
    yield (
        f"Between seeds of one design the standard deviation is {noise.sd:.2g} {facts.worth.unit} ({noise.designs} "
        f"designs, {noise.source}): designs closer than about three times that are not told apart by one seed each."
    )


def _latency(facts: Facts) -> Iterator[str]:
    """How wide the intervals are, and what moves all designs together."""
    name = facts.price.name
    metrics = [record.metrics[name] for record in facts.ranked.records if name in record.metrics]
    widths = [(one.high / one.low) ** 0.5 for one in metrics if one.low and one.high and one.low > 0]
    if not widths:
        return
    yield (
        f"{name} is {' or '.join(sorted({one.source for one in metrics}))}; its 95 % interval is typically a factor "
        f"of {median(widths):.2f} either way."
    )
    yield _parts_of_error([one for one in metrics if one.own_sd is not None])
    notes = Counter(note.partition(":")[0] for one in facts.ranked.records for note in _notes(one.details))
    for note, count in notes.most_common(3):
        yield f"Note of the latency model for {count:,} of {len(metrics):,} designs: {note}."


def _parts_of_error(told: Sequence[Metric]) -> str:
    if not told:
        return (
            "The records do not tell how much of that error all designs share: P(on front) takes it as independent, "
            "which is too cautious."
        )
    shared, own = (median(part) for part in ([m.shared_sd or 0.0 for m in told], [m.own_sd or 0.0 for m in told]))
    return (
        f"Of that error {shared:.1%} (standard deviation) is shared by all designs of the device, which moves them "
        f"together and keeps their order; {own:.1%} is of a single design."
    )


def _notes(details: object) -> list[str]:
    notes = details.get("latency_notes", []) if isinstance(details, dict) else []
    return [str(note) for note in notes] if isinstance(notes, list) else []


def _pruning(facts: Facts) -> Iterator[str]:
    wrong = wrong_prunes(facts.run.records, facts.run.limits)
    if wrong is not None and wrong.pruned:
        yield f"{str(wrong).capitalize()}: so many good designs the limit may have cost."


def _left(facts: Facts) -> Iterator[str]:
    for fidelity, count in facts.others.items():
        yield f"{count:,} designs were evaluated as {fidelity}: not comparable, and not ranked."
    if facts.ranked.excluded:
        yield f"{facts.ranked.excluded:,} evaluated designs have no number for every objective and are not ranked."
    if facts.run.torn:
        yield "The last record is unfinished, as a killed process leaves it, and is left out."

"""How records were made, as rows of a card: what with, when, in how much time."""

from collections import Counter
from collections.abc import Iterator, Sequence

from analysis.records.record import Record, State


def provenance(records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    """Names and what they are; an empty text where the records do not tell it."""
    fidelities = Counter(str(one.fidelity) for one in records if one.state is State.COMPLETE)
    yield "evaluated as", "; ".join(fidelities)
    ends = sorted(record.finished for record in records if record.finished)
    yield "first and last record", " to ".join(dict.fromkeys([ends[0], ends[-1]])) if ends else ""
    yield "time of all evaluations", spent(sum(record.seconds for record in records)) if records else ""
    versions: dict[str, set[str]] = {}
    for record in records:
        for name, text in record.versions.items():
            versions.setdefault(name, set()).add(text)
    yield "versions", ", ".join(f"{name} {' and '.join(sorted(texts))}" for name, texts in versions.items())


def spent(seconds: float) -> str:
    """A time in the unit that people would say."""
    if seconds >= 7200:
        return f"{seconds / 3600:,.1f} hours"
    return f"{seconds / 60:,.1f} minutes" if seconds >= 60 else f"{seconds:.3g} seconds"

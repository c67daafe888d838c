"""The last rung of a ladder: what several trainings of a design say together, and how surely."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

from analysis.records.fidelity import Fidelity
from analysis.records.record import Metric, Record, State
from analysis.results.pareto import NORMAL_95, Objective

if TYPE_CHECKING:
    from analysis.results.power import Noise

_LEAST = 4
"""Designs with two seeds from which the noise of the study's own trainings replaces the known one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The records of a ladder, parted.

    Attributes:
        records: One per design of the last rung, with the mean over its seeds and the 95 % interval of that mean; then
            those that are not complete.
        lower: Complete ones of the rungs below; their accuracies are not comparable with the others.
        noise: Between seeds, behind the intervals; None where it is neither measured nor known.
    """

    records: tuple[Record, ...]
    lower: tuple[Record, ...]
    noise: "Noise | None"


def by_rung(records: Iterable[Record], last: Fidelity | None, objectives: Sequence[Objective]) -> Confirmed:
    """The records of a run as they are, or those of a ladder parted by rung.

    Args:
        records: Of one study.
        last: Fidelity of the last rung; None where the study has none.
        objectives: Of the study; what is maximised is the accuracy.
    """
    accuracy = next((goal.name for goal in objectives if goal.direction == "max"), None)
    if last is None or accuracy is None:
        return Confirmed(records=tuple(records), lower=(), noise=None)
    return confirmed(records, last, accuracy)


def confirmed(records: Iterable[Record], fidelity: Fidelity, metric: str) -> Confirmed:
    """Part the records of a ladder by rung, and put the seeds of a design together.

    Args:
        records: Of one study, each evaluation once.
        fidelity: That of the last rung.
        metric: Its accuracy.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    lower, others = [], []
    for record in records:
        if record.state is not State.COMPLETE:
            others.append(record)
        elif record.fidelity == fidelity and metric in record.metrics:
            groups[record.fingerprint].append(record)
        else:
            lower.append(record)
    noise = _noise([[one.metrics[metric].value for one in group] for group in groups.values()], metric)
    together = [_together(group, metric, noise) for group in groups.values()]
    return Confirmed(records=(*together, *others), lower=tuple(lower), noise=noise)


def _noise(scores: Sequence[Sequence[float]], metric: str) -> "Noise | None":
    # Here, because scipy takes half a second to load and most runs have no rungs.
    from analysis.results.power import KNOWN_NOISE, typical_noise

    own = typical_noise(scores, "this study's own trainings")
    known = KNOWN_NOISE.get(metric)
    return own if own is not None and (own.designs >= _LEAST or known is None) else known


def _together(group: Sequence[Record], metric: str, noise: "Noise | None") -> Record:
    first = min(group, key=lambda record: record.seed)
    values = {record.seed: record.metrics[metric].value for record in group}
    mean = sum(values.values()) / len(values)
    half = None if noise is None else NORMAL_95 * noise.sd / sqrt(len(values))
    low, high = (None, None) if half is None else (mean - half, mean + half)
    number = Metric(value=mean, source=first.metrics[metric].source, low=low, high=high)
    details = {**first.details, "seeds": {str(seed): value for seed, value in sorted(values.items())}}
    return replace(first, metrics={**first.metrics, metric: number}, details=details)

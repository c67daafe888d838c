"""How many designs were pruned because the latency model is not exact: the price of pruning by a prediction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import erf, log, sqrt

from analysis.records.record import Metric, Record, State

LATENCY = "latency_ms"

_TENTHS = 1.281552
"""Nine of ten draws of a normal distribution are below so many standard deviations."""


@dataclass(frozen=True, slots=True)
class WrongPrunes:
    """What pruning by latency is expected to have lost.

    Attributes:
        pruned: Designs that the latency limit alone decided against.
        expected: How many of them are expected to meet the limit: the sum of P(latency <= limit) over them.
        between: The same if all times are lower, or higher, than predicted by what one of ten devices is: the error
            that all designs share decides for many of them at once. None where records do not hold it.
    """

    pruned: int
    expected: float
    between: tuple[float, float] | None = None

    @property
    def rate(self) -> float:
        """The expected share of wrong decisions among them; 0 where nothing was pruned."""
        return self.expected / self.pruned if self.pruned else 0.0

    def __str__(self) -> str:
        text = (
            f"of {self.pruned:,} pruned by latency alone, {self.expected:.3g} ({self.rate:.1%}) "
            "are expected to meet the limit"
        )
        if self.between is None:
            return text
        few, many = self.between
        return f"{text} (one time in ten {many:.3g} or more, one in ten {few:.3g} or fewer: they share an error)"


def wrong_prunes(records: Iterable[Record], limits: Mapping[str, float]) -> WrongPrunes | None:
    """The expected number of wrong prunes among records, as their study was limited.

    A record keeps what decided: P(latency > limit) - (1 - alpha), above 0 where it is pruned, from the whole Student t
    distribution of the prediction. So P(latency <= limit) is alpha less that number. A design that also exceeds
    another limit would have been pruned anyway and does not count.

    Args:
        records: Of one study; only pruned ones matter.
        limits: `latency_ms` and `alpha` as in `study.json`; the others are not read.

    Returns:
        None where the study limits no latency.
    """
    alpha = limits.get("alpha")
    if alpha is None or LATENCY not in limits:
        return None
    pruned = [(record, excess) for record in records if (excess := _excess(record)) is not None]
    expected = sum(alpha - excess for _, excess in pruned)
    return WrongPrunes(len(pruned), expected, _between([record for record, _ in pruned], limits[LATENCY]))


def _between(pruned: Sequence[Record], limit_ms: float) -> tuple[float, float] | None:
    """The expected wrong prunes where the shared error is at its upper and at its lower tenth."""
    latencies = [metric for record in pruned if (metric := _latency(record)) is not None]
    if not latencies or len(latencies) < len(pruned):
        return None
    few, many = (sum(_meets(metric, limit_ms, tenth) for metric in latencies) for tenth in (_TENTHS, -_TENTHS))
    return few, many


def _latency(record: Record) -> Metric | None:
    """The prediction that decided, where it has both parts of its error."""
    found = (metric for name, metric in record.metrics.items() if name.partition("@")[0] == LATENCY)
    return next((one for one in found if one.own_sd is not None and one.shared_sd is not None), None)


def _meets(metric: Metric, limit_ms: float, shift: float) -> float:
    """P(latency <= limit) where the shared error is so many of its standard deviations."""
    margin = log(limit_ms / metric.value) - shift * (metric.shared_sd or 0.0)
    own = metric.own_sd or 0.0
    return 0.5 * (1 + erf(margin / own / sqrt(2))) if own else float(margin >= 0)


def _excess(record: Record) -> float | None:
    """P(latency > limit) - (1 - alpha) of a record that latency alone pruned."""
    constraints = record.details.get("constraints", {})
    if record.state is not State.PRUNED or constraints.get(LATENCY, 0) <= 0:
        return None
    others = (value for name, value in constraints.items() if name != LATENCY)
    return None if any(value > 0 for value in others) else float(constraints[LATENCY])

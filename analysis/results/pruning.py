"""How many designs were pruned because the latency model is not exact: the price of pruning by a prediction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.records.record import Record, State

LATENCY = "latency_ms"


@dataclass(frozen=True, slots=True)
class WrongPrunes:
    """What pruning by latency is expected to have lost.

    Attributes:
        pruned: Designs that the latency limit alone decided against.
        expected: How many of them are expected to meet the limit: the sum of P(latency <= limit) over them.
    """

    pruned: int
    expected: float

    @property
    def rate(self) -> float:
        """The expected share of wrong decisions among them; 0 where nothing was pruned."""
        return self.expected / self.pruned if self.pruned else 0.0

    def __str__(self) -> str:
        return (
            f"of {self.pruned:,} pruned by latency alone, {self.expected:.3g} ({self.rate:.1%}) "
            "are expected to meet the limit"
        )


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
    excesses = [excess for record in records if (excess := _excess(record)) is not None]
    return WrongPrunes(len(excesses), sum(alpha - excess for excess in excesses))


def _excess(record: Record) -> float | None:
    """P(latency > limit) - (1 - alpha) of a record that latency alone pruned."""
    constraints = record.details.get("constraints", {})
    if record.state is not State.PRUNED or constraints.get(LATENCY, 0) <= 0:
        return None
    others = (value for name, value in constraints.items() if name != LATENCY)
    return None if any(value > 0 for value in others) else float(constraints[LATENCY])

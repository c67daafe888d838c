"""Which failed designs are tried again when a sweep goes on: those whose failure says nothing about them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from analysis.records.record import Record, State
from experiments.trials.trial import CAUSE, MACHINE

_OLDER = ("the worker died", "memory ran out", "a process that loads data ended")
"""How the reasons of older records begin, which do not hold the cause."""
_NAMED = 5


class Retries(NamedTuple):
    """Earlier records, by what a continued sweep makes of them.

    Attributes:
        again: Failed ones whose designs are tried again.
        kept: All others.
    """

    again: tuple[Record, ...]
    kept: tuple[Record, ...]


def retries(records: Sequence[Record], *, every: bool, note: Callable[[str], None]) -> Retries:
    """Part the records of a study.

    Args:
        records: One per evaluation.
        every: Whether every failed design is tried again, its own failure or not.
        note: Told which designs are tried again, and of how many are not.
    """
    again = tuple(one for one in records if one.state is State.FAILED and (every or _is_due(one)))
    keys = {one.key for one in again}
    kept = tuple(one for one in records if one.key not in keys)
    if again:
        more = f" and {len(again) - _NAMED:,} more" if len(again) > _NAMED else ""
        named = ", ".join(f"{one.fingerprint} ({one.reason})" for one in again[:_NAMED])
        note(f"{_failed(len(again))} tried again: {named}{more}")
    if own := sum(one.state is State.FAILED for one in kept):
        note(f"{_failed(own)} not tried again, because the cause was their own; --retry-failed tries them")
    return Retries(again, kept)


def _failed(count: int) -> str:
    return "1 failed design is" if count == 1 else f"{count:,} failed designs are"


def _is_due(record: Record) -> bool:
    """Whether the machine was the cause, or the design is an anchor, without which nothing can be compared."""
    is_machines = record.details.get(CAUSE) == MACHINE or record.reason.startswith(_OLDER)
    return is_machines or record.origin == "anchor"

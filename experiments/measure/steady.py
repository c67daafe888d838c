"""Times of networks as a device in one steady state would give them: the drift of the reference is taken out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import median, median_low

from experiments.measure.rows import MeasuredRow
from search_space.latency.model import DeviceModel

APART = 1.25
"""Factor between a reference and the middle of its size up to which the machine is taken to have been slower or faster
for a while. Beyond it the reference itself may be wrong, and what the other rows say decides."""

WORTH_A_NOTE = 0.05
"""Share by which references of one size may lie apart without a note: what a stable measurement allows itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyTime:
    """The time of a row that a calibration uses.

    Attributes:
        row: The row.
        milliseconds: Its median, less the drift of its reference.
        note: What was wrong with its reference; empty for most rows.
    """

    row: MeasuredRow
    milliseconds: float
    note: str = ""


def steady_times(rows: Sequence[MeasuredRow], prior: DeviceModel) -> tuple[SteadyTime, ...]:
    """The times of rows of one device, in their order.

    A machine that is warmer or busier for a while slows both networks down, so that the ratio keeps what the times
    lose: a row's time is its ratio times the middle of all references of that size. Where a reference lies further
    from the middle than `APART`, either the machine was that slow, or this reference alone is wrong: of the median
    and the corrected median the one is taken that fits the other rows, by what they take on a known device.

    Args:
        rows: Rows with the boundary logits.
        prior: A known device.
    """
    slowness = [row.reference_ms / _middle_ms(row, rows) for row in rows]
    expected = [prior.estimate(row.candidate).milliseconds for row in rows]
    close = [1 / APART <= slow <= APART for slow in slowness]
    typical = median(
        log(row.median_ms / slow / ms)
        for row, slow, ms, usual in zip(rows, slowness, expected, close, strict=True)
        if usual
    )
    return tuple(
        SteadyTime(row=row, milliseconds=row.median_ms / slow) if usual else _decided(row, slow, ms * exp(typical))
        for row, slow, ms, usual in zip(rows, slowness, expected, close, strict=True)
    )


def _middle_ms(row: MeasuredRow, rows: Sequence[MeasuredRow]) -> float:
    """Median of the reference's times at the row's size; of an even number the lower middle one, which was measured."""
    times = [other.reference_ms for other in rows if _reference(other) == _reference(row)]
    return median_low(times)


def _decided(row: MeasuredRow, slowness: float, expected_ms: float) -> SteadyTime:
    own, corrected = row.median_ms, row.median_ms / slowness
    alone = abs(log(own / expected_ms)) < abs(log(corrected / expected_ms))
    what = (
        "its own time fits the other rows and is used" if alone else "its ratio to it fits the other rows and is used"
    )
    note = (
        f"{row.label}: its reference took {row.reference_ms:.3g} ms, in the middle of that size "
        f"{row.reference_ms / slowness:.3g}; {what}; measure it again"
    )
    return SteadyTime(row=row, milliseconds=own if alone else corrected, note=note)


def reference_notes(rows: Sequence[MeasuredRow]) -> list[str]:
    """How far the times of each reference lie apart at each size, where that is worth a note."""
    notes = []
    for key in dict.fromkeys(map(_reference, rows)):
        times = [row.reference_ms for row in rows if _reference(row) == key]
        if max(times) > min(times) * (1 + WORTH_A_NOTE):
            name, height, width = key
            notes.append(
                f"{name} at {height}x{width}, the reference of {len(times)} rows, took {min(times):.3g} to "
                f"{max(times):.3g} ms; times are those of a device in the middle of that"
            )
    return notes


def _reference(row: MeasuredRow) -> tuple[str, int, int]:
    return row.reference, row.height, row.width

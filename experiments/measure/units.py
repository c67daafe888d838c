"""Whether times are in milliseconds: no file says it, and tools of other engines print microseconds or seconds."""

from collections.abc import Sequence
from dataclasses import replace

from experiments.measure.protocol import UNITS
from experiments.measure.rows import MeasuredRow
from search_space.latency.calibration.devices import shipped
from search_space.latency.devices import devices
from search_space.latency.model import DeviceModel
from topformer.errors import InputError

MOST_APART = 100
"""Factor between times of one device that neither noise nor the model's error makes, and another unit does."""

SLOWEST = 20
"""Factor by which a core may be slower than the slowest shipped device: twice what a board ten times slower needs, and
less than a third of what microseconds make of the fastest."""


def in_milliseconds(rows: Sequence[MeasuredRow], unit: str | None) -> tuple[MeasuredRow, ...]:
    """The rows with all times in milliseconds.

    Args:
        rows: Rows of one device.
        unit: What their times are in, one of `UNITS`; None for milliseconds that are checked.

    Raises:
        InputError: No unit is given and the times cannot be milliseconds.
    """
    if unit is None:
        for row in rows:
            _check(row)
        return tuple(rows)
    factor = UNITS[unit]
    names = ("median_ms", "min_ms", "p90_ms", "mad_ms", "reference_ms")
    return tuple(replace(row, **{name: getattr(row, name) * factor for name in names}) for row in rows)


def _check(row: MeasuredRow) -> None:
    slowest = max((shipped(name) for name in devices()), key=lambda model: _estimate_ms(model, row))
    expected = _estimate_ms(slowest, row)
    if row.median_ms > SLOWEST * expected:
        raise InputError(
            f"{row.label} takes {row.median_ms:,.5g} ms, where the slowest known device, "
            f"{slowest.name}, takes {expected:.3g}: are these microseconds? say so with --unit us, or --unit ms if the "
            "device is as slow as that"
        )


def check_one_unit(rows: Sequence[MeasuredRow], prior: DeviceModel) -> None:
    """No row is in another unit than the others.

    Raises:
        InputError: Two rows lie so far apart, by what a known device takes or by their reference, that no device does.
    """
    first: dict[tuple[object, ...], MeasuredRow] = {}
    for row in rows:
        other = first.setdefault((row.reference, row.height, row.width), row)
        if max(row.reference_ms, other.reference_ms) > MOST_APART * min(row.reference_ms, other.reference_ms):
            raise InputError(
                f"reference_ms of {row.reference} at {row.height}x{row.width} must be the same but for noise, got "
                f"{other.reference_ms:g} and {row.reference_ms:g}; all times must be in milliseconds"
            )
    slowness = [row.median_ms / _estimate_ms(prior, row) for row in rows]
    if max(slowness) > MOST_APART * min(slowness):
        slow, fast = (rows[slowness.index(pick(slowness))] for pick in (max, min))
        raise InputError(
            f"rows must be in one unit, got {slow.median_ms:g} ms for {slow.label} and "
            f"{fast.median_ms:g} ms for {fast.label}: {max(slowness):.3g} and {min(slowness):.3g} "
            f"times what they take on {prior.name}"
        )


def _estimate_ms(model: DeviceModel, row: MeasuredRow) -> float:
    return model.estimate(row.candidate).milliseconds

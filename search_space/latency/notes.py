"""What a reader of a latency should know: kernels without a rule or never timed, extrapolation, several images."""

from collections.abc import Mapping, Sequence
from math import exp

from topformer.deployment.boundary import Boundary

SHOWN_SHARE = 0.005
"""A kernel that takes less of the time is not named in a note."""


def batch_notes(batch: int) -> list[str]:
    """What to say of a run of several images."""
    if batch == 1:
        return []
    return [f"the time is that of {batch} images in one run; every network was measured with one"]


def unmeasured_notes(unruled: Mapping[str, str], shares: Mapping[str, float]) -> list[str]:
    """What to say of operations without a rule, each with the module that runs it first, and of kernels never timed."""
    notes = []
    if unruled:
        listed = ", ".join(f"{name} in {unruled[name] or 'the network itself'}" for name in sorted(unruled))
        notes.append(
            f"no rule for {listed}: charged for the bytes moved, which is the least it can take; how long it takes at "
            "most is unknown"
        )
    shown = sorted((-share, name) for name, share in shares.items() if share >= SHOWN_SHARE)
    if shown:
        listed = ", ".join(f"{name} {-share:.0%}" for share, name in shown)
        notes.append(
            f"never measured in a network that this device was fitted to, share of the predicted time: {listed}; "
            "the interval is widened"
        )
    return notes


def extrapolation_notes(distance: float, measured_ms: Sequence[float]) -> list[str]:
    """What to say of a network outside the measured range, by its log distance, and the times that were measured."""
    if not distance:
        return []
    return [
        f"extrapolated: work or bytes, or their ratio, are {exp(distance):.3g} times outside those of the measured "
        f"networks ({min(measured_ms):.3g} to {max(measured_ms):.3g} ms); the interval is widened"
    ]


def argmax_notes(end: Boundary, argmax_ns: float, argmax_source: str) -> list[str]:
    """What to say of what comes after the logits; the nanoseconds per number, and where they come from."""
    if end is Boundary.LOGITS:
        return []
    if end is Boundary.UPSAMPLE or not argmax_source:
        return [f"no {end} graph was timed on this device: its end is charged for bytes moved, the least it can take"]
    charge = f"{argmax_ns:g} ns per number"
    if end is Boundary.ARGMAX_NEAREST:
        return [
            f"the argmax of the logits is charged {charge}, {argmax_source}; that was timed with a resize of every "
            "number, so this is rather less"
        ]
    return [f"the final resize and argmax are charged {charge}, {argmax_source}"]

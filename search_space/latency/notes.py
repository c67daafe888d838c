"""What a reader of a latency should know: kernels without a rule or never timed, and several images."""

from collections.abc import Mapping

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

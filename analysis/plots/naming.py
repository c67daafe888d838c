"""What the points of a figure are called: the ids by which tables name them, and what tells them apart."""

from collections.abc import Mapping, Sequence

from analysis.records.record import Record


def short_ids(fingerprints: Sequence[str]) -> dict[str, str]:
    """The first 4 to 6 characters of each fingerprint: as few as tell all of them apart, where 6 do."""
    for digits in (4, 5):
        if len({name[:digits] for name in fingerprints}) == len(set(fingerprints)):
            return {name: name[:digits] for name in fingerprints}
    return {name: name[:6] for name in fingerprints}


def telling_axes(records: Sequence[Record], most: int = 2) -> tuple[str, ...]:
    """The axes whose labels tell most of the records apart: what a reader calls them by.

    Args:
        records: Such as a front; without labels, or where they agree in all of them, there is no such axis.
        most: Number of axes.
    """
    chosen: tuple[str, ...] = ()
    shared = set.intersection(*(set(record.labels) for record in records)) if records else set()
    for _ in range(most):
        counts = {
            axis: len({tuple(record.labels[name] for name in (*chosen, axis)) for record in records})
            for axis in (records[0].labels if shared else ())
            if axis in shared and axis not in chosen
        }
        best = max(counts, key=lambda axis: counts[axis], default="")
        if not best or counts[best] == len({tuple(record.labels[name] for name in chosen) for record in records}):
            break
        chosen = (*chosen, best)
    return chosen


def design_name(record: Record, ids: Mapping[str, str], axes: Sequence[str]) -> str:
    """The id of a design, and its labels of these axes, such as `d86f: 4+16, 96`."""
    labels = ", ".join(record.labels[axis] for axis in axes)
    return f"{ids[record.fingerprint]}: {labels}" if labels else ids[record.fingerprint]

"""The records of one study as everybody reads them: each counted once, each checked, with what is wrong by its line."""

from dataclasses import replace

from analysis.records.fidelity import Fidelity
from analysis.records.record import JsonlStore, Key, Reading, Record, State
from analysis.records.soundness import fault
from topformer.errors import RecordError


def read_study(store: JsonlStore, *, study: str | None = None, fidelity: Fidelity | None = None) -> Reading:
    """All records of a study in a file that holds no other.

    A line that stands there twice, as after `cat` of two copies, counts once. So does a failed evaluation that was
    tried again, by its last record.

    Args:
        store: The file.
        study: Identity of the study; that of the first record if None.
        fidelity: The study's, for records of an older version that do not hold it.

    Raises:
        RecordError: A line is broken, of another study, gives a trial's number to another design, or holds what
            cannot be (`analysis.records.soundness`).
        StorageError: The file cannot be read.
    """
    reading = store.read()
    # Trial to the line that named it first.
    lines: dict[int, int] = {}
    records: dict[Key, Record] = {}
    for number, record in enumerate(reading.records, start=1):
        study = record.study if study is None else study
        first = lines.setdefault(record.trial, number)
        other = reading.records[first - 1].fingerprint
        found = _of_another(record, study) or fault(record) or _two_designs(record, first, other)
        if found:
            raise RecordError(f"{store.path}, line {number}: {found}")
        whole = record
        if fidelity is not None and record.fidelity != fidelity:
            whole = replace(record, fidelity=record.fidelity.completed(fidelity))
        earlier = records.get(whole.key)
        if earlier is None or _was_tried_again(earlier, whole):
            # As the last one, where it stands in the file.
            records.pop(whole.key, None)
            records[whole.key] = whole
    return Reading(tuple(records.values()), reading.torn)


def _was_tried_again(earlier: Record, later: Record) -> bool:
    """Whether a later record of the same evaluation stands for it: the earlier one failed, and is not just repeated."""
    return earlier.state is State.FAILED and (later.state is not State.FAILED or later.finished > earlier.finished)


def _of_another(record: Record, study: str) -> str:
    return "" if record.study == study else f"the record is of study {record.study}, the others are of {study}"


def _two_designs(record: Record, first: int, other: str) -> str:
    if other == record.fingerprint:
        return ""
    return f"trial {record.trial} is {record.fingerprint} here and {other} on line {first}"

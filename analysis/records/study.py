"""The records of one study as everybody reads them: each counted once, each checked, with what is wrong by its line."""

from dataclasses import replace

from analysis.records.design_text import design_text
from analysis.records.fidelity import Fidelity
from analysis.records.record import JsonlStore, Key, Reading, Record, State
from topformer import codec
from topformer.errors import DesignError, RecordError

_COSTS = ("latency_ms", "macs", "parameters", "peak_activation_bytes")


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
            cannot be: a fingerprint that is not its design's, an interval upside down, a cost below 0.
        StorageError: The file cannot be read.
    """
    reading = store.read()
    # Trial to the line that named it first.
    lines: dict[int, int] = {}
    records: dict[Key, Record] = {}
    for number, record in enumerate(reading.records, start=1):
        study = record.study if study is None else study
        first = lines.setdefault(record.trial, number)
        fault = _fault(record, study) or _two_designs(record, first, reading.records[first - 1].fingerprint)
        if fault:
            raise RecordError(f"{store.path}, line {number}: {fault}")
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


def _two_designs(record: Record, first: int, other: str) -> str:
    if other == record.fingerprint:
        return ""
    return f"trial {record.trial} is {record.fingerprint} here and {other} on line {first}"


def _fault(record: Record, study: str) -> str:
    """What a record of the study cannot be, in words; empty where it may be one."""
    if record.study != study:
        return f"the record is of study {record.study}, the others are of {study}"
    if not _fits_design(record):
        return f"fingerprint {record.fingerprint} is not that of the record's design and size"
    for name, metric in record.metrics.items():
        if metric.low is not None and metric.high is not None and metric.low > metric.high:
            return f"the interval of {name} ends below its start: low {metric.low:g}, high {metric.high:g}"
        if (metric.shared_sd or 0.0) < 0 or (metric.own_sd or 0.0) < 0:
            return f"a standard deviation of {name} is below 0: {metric.shared_sd} shared, {metric.own_sd} of its own"
        if metric.value < 0 and name.partition("@")[0] in _COSTS:
            return f"{name} must not be negative, got {metric.value:g}"
    return ""


def _fits_design(record: Record) -> bool:
    """Whether the fingerprint is that of design and size; a design of another version cannot be checked."""
    size = f"@{record.height}x{record.width}"
    # A record's design is canonical: its digest is found without making the design, ten times faster.
    text = design_text(record.design, ordered=True)
    if record.fingerprint.removesuffix(size) in codec.fingerprints_of_text(text):
        return True
    try:
        return record.fingerprint == codec.fingerprint(codec.from_json(dict(record.design))) + size
    except DesignError:
        return True

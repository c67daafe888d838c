"""What no record can be, whatever its study: asked of every record that is to be ranked, compared or built again."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from analysis.records.design_text import design_text
from analysis.records.record import JsonlStore, Metric, Record
from topformer import codec
from topformer.errors import DesignError, RecordError
from topformer.kinds import is_integer, is_number

LATENCY = "latency_ms"
_COUNTS = ("macs", "parameters", "peak_activation_bytes")
_LARGEST = 1e18
"""No count, time or accuracy comes near; squares of larger numbers leave the range of a float."""
_LARGEST_SD = 20.0
"""Of the logarithm of a latency: with such an error it may be anything from a picosecond to years."""


def sound_records(path: Path) -> tuple[Record, ...]:
    """All records of a file, of any studies.

    Raises:
        RecordError: A line is broken, or holds what cannot be; the message has the line.
        StorageError: The file cannot be read.
    """
    records = JsonlStore(path).read().records
    for number, record in enumerate(records, start=1):
        if found := fault(record):
            raise RecordError(f"{path}, line {number}: {found}")
    return records


def fault(record: Record) -> str:
    """What a record cannot be, in words; empty where it may be one."""
    return next(_faults(record), "")


def _faults(record: Record) -> Iterator[str]:
    if not _fits_design(record):
        yield f"fingerprint {record.fingerprint} is not that of the record's design and size"
    for name in ("trial", "seed", "seconds"):
        value = getattr(record, name)
        if not 0 <= value < _LARGEST:
            yield f"{name} must be at least 0 and below {_LARGEST:g}, got {value:g}"
    if record.finished and not _is_time(record.finished):
        yield f"finished must be a time such as 2026-01-31T12:00:00+00:00, got {record.finished!r}"
    for name, metric in record.metrics.items():
        yield from _of_metric(name, metric)
    # Once: those of a record that was read are decoded whenever they are asked for.
    details = dict(record.details)
    for name, (accepts, words) in _DETAILS.items():
        if name in details and not accepts(details[name]):
            yield f"details.{name} must be {words}, got {details[name]!r:.200}"
    yield from _of_curve(record.budget, details.get("curve", {}))


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


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _of_metric(name: str, metric: Metric) -> Iterator[str]:
    value, low, high = metric.value, metric.low, metric.high
    family = name.partition("@")[0]
    if low is not None and high is not None and low > high:
        yield f"the interval of {name} ends below its start: low {low:g}, high {high:g}"
    if (low is not None and value < low) or (high is not None and value > high):
        yield f"{name} must lie in its interval, got {value:g} with low {low} and high {high}"
    if max(abs(one) for one in (value, low or 0.0, high or 0.0)) >= _LARGEST:
        yield f"{name} must be a number below {_LARGEST:g}, got {value:g} with low {low} and high {high}"
    if value < 0 and family in (*_COUNTS, LATENCY):
        yield f"{name} must not be negative, got {value:g}"
    if family == LATENCY and min(value, value if low is None else low) <= 0:
        yield f"{name} must be above 0, got {value:g} with low {low}"
    sds = (metric.shared_sd or 0.0, metric.own_sd or 0.0)
    if min(sds) < 0 or max(sds) > _LARGEST_SD:
        bound = "below 0" if min(sds) < 0 else f"above {_LARGEST_SD:g}"
        yield f"a standard deviation of {name} is {bound}: {metric.shared_sd} shared, {metric.own_sd} of its own"


def _of_curve(budget: int, curve: Mapping[str, object]) -> Iterator[str]:
    """A learning curve is of a training, which had as many iterations at least."""
    for text in curve:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= budget):
            yield f"details.curve must be by iterations from 1 to the record's {budget:,}, got {text!r}"


def _are_numbers(value: object) -> bool:
    return isinstance(value, Mapping) and all(is_number(one) for one in value.values())


def _are_known_numbers(value: object) -> bool:
    return isinstance(value, Mapping) and all(one is None or is_number(one) for one in value.values())


def _is_seconds(value: object) -> bool:
    return value is None or (is_number(value) and value >= 0)


def _is_evaluator(value: object) -> bool:
    if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
        return False
    data = value.get("data")
    return data is None or (isinstance(data, Mapping) and isinstance(data.get("name"), str))


_SECONDS = (_is_seconds, "a number of seconds from 0")
_DETAILS: Mapping[str, tuple[Callable[[object], bool], str]] = MappingProxyType(
    {
        "constraints": (_are_numbers, "an object of numbers"),
        "curve": (_are_numbers, "an object of numbers"),
        "groups": (_are_known_numbers, "an object of numbers"),
        "latency_by_module": (_are_known_numbers, "an object of numbers"),
        "cpu_seconds": _SECONDS,
        "evaluation_seconds": _SECONDS,
        "judged": (lambda value: is_integer(value) and value >= 0, "an integer of at least 0"),
        "metric": (lambda value: isinstance(value, str), "a string"),
        "evaluator": (_is_evaluator, "an object with a kind, and perhaps data with a name"),
        "ablation": (lambda value: isinstance(value, Mapping), "an object"),
    }
)
"""The details that this project reads again: what each may be, and that in words."""

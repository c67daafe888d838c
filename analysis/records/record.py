"""Records: one JSON line per trial, durable, append-only - the scientific result of a study."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from analysis.records.design_text import DesignText
from analysis.records.fidelity import Fidelity
from analysis.records.first_schema import from_schema_1
from analysis.records.json_values import integer, mapping, number, plain, text
from analysis.records.line_text import ObjectText, decode_line
from analysis.records.lines import LineFile
from analysis.records.words import shared_texts, texts, word
from topformer.errors import RecordError, unknown_name

SCHEMA = 2
"""Version of a record's JSON form that is written; version 1, which knew no fidelity, is read too."""

RECORDS = "records.jsonl"
"""Name of the file of records in a run folder."""

_LOG = logging.getLogger(__name__)


class State(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number of a record, and what it is.

    Attributes:
        value: In the unit that the name implies: percent, milliseconds, MACs, parameters, bytes.
        source: `measured`, `predicted`, `exact` or `published`; for an accuracy `trained`, `supernet`, `proxy`,
            `surrogate` or `count`.
        low: Lower end of the 95 % interval, where there is one.
        high: Upper end.
        shared_sd: Where the error has two parts, the standard deviation of the log error that all records share, such
            as that of the device's model; it moves all of them together.
        own_sd: That of the error of this record alone. As of normal distributions, the two together give the interval.
    """

    value: float
    source: str
    low: float | None = None
    high: float | None = None
    shared_sd: float | None = None
    own_sd: float | None = None


class Key(NamedTuple):
    """What makes two evaluations the same: results, reuse and the folders of checkpoints go by it."""

    fingerprint: str
    fidelity: Fidelity
    seed: int

    @property
    def folder(self) -> str:
        """A name for the folder of its checkpoints."""
        return f"{self.fingerprint}-{self.fidelity.digest}-seed{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What became of one trial.

    Attributes:
        study: Identity of the study that asked.
        trial: Number within the study, from 0.
        state: How it ended.
        fingerprint: The candidate's fingerprint, such as `3f9a1c2b7d04@128x128`.
        fidelity: What its accuracy was, or would have been, obtained with.
        design: The canonical design as JSON (`topformer.codec`).
        height: Input height in pixels.
        width: Input width in pixels.
        labels: Axis name to chosen label.
        metrics: Metric name, such as `miou@tokenworld-128`, `latency_ms@snapdragon-865`, `macs`, to its number.
        details: Further results: per-class IoU, group scores, latency by module, coverage.
        reason: Why it was pruned or failed.
        origin: `sampler`, `anchor` for a design that was enqueued first, `request` for one enqueued in the storage.
        seed: Seed of the evaluation.
        seconds: Wall-clock time of the evaluation, what it took before an interruption included.
        finished: UTC time of the end, ISO 8601.
        versions: Package name to version.
    """

    study: str
    trial: int
    state: State
    fingerprint: str
    fidelity: Fidelity
    design: Mapping[str, Any]
    height: int
    width: int
    labels: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    origin: str = "sampler"
    seed: int = 0
    seconds: float = 0.0
    finished: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What is evaluated at most once."""
        return Key(self.fingerprint, self.fidelity, self.seed)

    @property
    def budget(self) -> int:
        """Iterations that were asked for."""
        return self.fidelity.budget


def to_json(record: Record) -> dict[str, Any]:
    """The record as plain JSON values; `from_json` is the inverse.

    Tuples become lists, and a number of `details` that is not finite becomes null: JSON has no NaN.

    Raises:
        RecordError: A value is of the wrong type, has no JSON form, or is a metric that is not finite.
    """
    values = {item.name: getattr(record, item.name) for item in fields(record)}
    values["fidelity"] = asdict(record.fidelity)
    values["metrics"] = {name: _metric_to_json(f"metrics.{name}", metric) for name, metric in record.metrics.items()}
    data = {"schema": SCHEMA, **{name: plain(name, value) for name, value in values.items()}}
    # What could not be read back is never written.
    from_json(data)
    return data


def from_json(value: object) -> Record:
    """The record of a JSON object made by `to_json`, of this or the first schema; absent optional keys take defaults.

    Raises:
        RecordError: Unknown schema or key, missing key or wrong type; the message names the key and shows the value.
    """
    data = dict(mapping("record", value))
    schema = data.pop("schema", None)
    if schema == 1:
        data = from_schema_1(data)
    elif schema != SCHEMA:
        raise RecordError(f"record.schema must be {SCHEMA}, or 1 of an older version, got {schema!r}")
    _check_keys("record", data, Record)
    return Record(**{name: _READERS[name](name, item) for name, item in data.items()})


def encode(record: Record) -> bytes:
    """The record as one line of ASCII, with its newline."""
    return json.dumps(to_json(record), allow_nan=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Record:
    """The record of one line.

    Raises:
        RecordError: The line is no JSON or no record.
    """
    try:
        return from_json(decode_line(line))
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not a JSON line ({error})") from None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file of records holds.

    Attributes:
        records: Oldest first.
        torn: The unfinished last line that a killed process left behind, or empty.
    """

    records: tuple[Record, ...]
    torn: bytes = b""


class JsonlStore:
    """A file of records, one JSON line each, that several processes may append to and that a crash cannot spoil.

    An unfinished last line is moved to a file of the same name with `.torn` added by the next append; reading
    leaves it out and logs a warning. The file is made, with its folder, by the first append.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file = LineFile(self.path)

    def append(self, record: Record) -> None:
        """Write one line and wait until the disk has it.

        Raises:
            RecordError: The record has no JSON form; nothing is written.
            StorageError: The disk did not take it; the file is as it was before.
        """
        self.append_many((record,))

    def append_many(self, records: Iterable[Record]) -> None:
        """Write all lines in order and wait once until the disk has them; errors as in `append`."""
        self._file.append(b"".join([encode(record) for record in records]))

    def read(self) -> Reading:
        """All records and the unfinished last line, if any; nothing for a file that does not exist yet.

        Raises:
            RecordError: A line is broken; the message names the file and the line.
            StorageError: The file cannot be read.
        """
        records, torn = [], b""
        for place, (line, is_whole) in enumerate(self._file.read(), start=1):
            if is_whole:
                records.append(self._decode(line, place))
            else:
                torn = line
        return Reading(tuple(records), torn)

    def __iter__(self) -> Iterator[Record]:
        """The records, oldest first; errors as in `read`."""
        reading = self.read()
        if reading.torn:
            _LOG.warning("%s: the last line is unfinished and left out (%d bytes)", self.path, len(reading.torn))
        return iter(reading.records)

    def _decode(self, line: bytes, number: int) -> Record:
        try:
            return decode(line)
        except RecordError as error:
            raise RecordError(f"{self.path}, line {number}: {error}") from None


def _fidelity(where: str, value: object) -> Fidelity:
    data = mapping(where, value)
    _check_keys(where, data, Fidelity)
    texts = [text(f"{where}.{name}", data[name]) for name in ("evaluator", "data", "size")]
    return _shared_fidelity(*texts, integer(f"{where}.budget", data["budget"]))


@lru_cache(maxsize=256)
def _shared_fidelity(evaluator: str, data: str, size: str, budget: int) -> Fidelity:
    return Fidelity(evaluator=evaluator, data=data, size=size, budget=budget)


def _metric_to_json(where: str, metric: object) -> dict[str, Any]:
    if not isinstance(metric, Metric):
        raise RecordError(f"{where} must be a Metric, got {metric!r}")
    data = {item.name: getattr(metric, item.name) for item in fields(metric)}
    for name in ("value", *_OPTIONAL):
        if data[name] is not None:
            data[name] = number(f"{where}.{name}", data[name])
    # What few metrics have is not written for the others.
    return {name: value for name, value in data.items() if value is not None or name not in _PARTS}


def _check_keys(where: str, data: Mapping[str, Any], kind: type[Any]) -> None:
    names, needed = _NAMES[kind]
    if needed <= data.keys() <= names:
        return
    for name in data.keys() - names:
        raise RecordError(unknown_name(f"key of {where}", name, list(names)))
    for name in needed:
        if name not in data:
            raise RecordError(f"{where}.{name} is missing")


def _names(kind: type[Any]) -> tuple[KeysView[str], KeysView[str]]:
    """The names of all fields, and of those without a default, in order."""
    needed = (item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING)
    return dict.fromkeys(item.name for item in fields(kind)).keys(), dict.fromkeys(needed).keys()


def _state(where: str, value: object) -> State:
    try:
        return State(text(where, value))
    except ValueError:
        raise RecordError(unknown_name(where, value, [state.value for state in State])) from None


def _object(where: str, value: object) -> Mapping[str, Any]:
    return value if isinstance(value, (DesignText, ObjectText)) else mapping(where, value)


def _metric(where: str, value: object) -> Metric:
    data = mapping(where, value)
    _check_keys(where, data, Metric)
    low, high, shared_sd, own_sd = (
        None if end is None else number(where, end, name) for name in _OPTIONAL for end in (data.get(name),)
    )
    return Metric(
        value=number(where, data["value"], "value"), source=intern(text(where, data["source"], "source")),
        low=low, high=high, shared_sd=shared_sd, own_sd=own_sd,
    )  # fmt: skip


def _metrics(where: str, value: object) -> Mapping[str, Metric]:
    return {intern(name): _metric(f"{where}.{name}", item) for name, item in mapping(where, value).items()}


_READERS: Mapping[str, Callable[[str, object], Any]] = {
    "study": word,
    "trial": integer,
    "state": _state,
    "fingerprint": text,
    "fidelity": _fidelity,
    "design": _object,
    "height": integer,
    "width": integer,
    "labels": texts,
    "metrics": _metrics,
    "details": _object,
    "reason": word,
    "origin": word,
    "seed": integer,
    "seconds": number,
    "finished": word,
    "versions": shared_texts,
}

_PARTS = ("shared_sd", "own_sd")
_OPTIONAL = ("low", "high", *_PARTS)
_NAMES = {kind: _names(kind) for kind in (Record, Fidelity, Metric)}

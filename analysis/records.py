"""Records: one JSON line per trial, durable, append-only - the scientific result of a study."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from topformer.errors import RecordError, StorageError

SCHEMA = 1
"""Version of a record's JSON form; a reader refuses any other."""


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
        source: `measured`, `predicted`, `exact` or `published`.
        low: Lower end of the 95 % interval, where there is one.
        high: Upper end.
    """

    value: float
    source: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What became of one trial.

    Attributes:
        study: Identity of the study that asked.
        trial: Number within the study, from 0.
        state: How it ended.
        fingerprint: The candidate's fingerprint, such as `3f9a1c2b7d04@128x128`.
        design: The canonical design as JSON (`topformer.codec`).
        height: Input height in pixels.
        width: Input width in pixels.
        labels: Axis name to chosen label.
        metrics: Metric name, such as `miou@tokenworld-128`, `latency_ms@snapdragon-865`, `macs`, to its number.
        details: Further results: per-class IoU, group scores, latency by module, coverage.
        reason: Why it was pruned or failed.
        origin: `sampler`, or `anchor` for a preset that was enqueued first.
        seed: Seed of the evaluation.
        budget: Updates that were asked for.
        seconds: Wall-clock time of the trial.
        finished: UTC time of the end, ISO 8601.
        versions: Package name to version.
    """

    study: str
    trial: int
    state: State
    fingerprint: str
    design: Mapping[str, Any]
    height: int
    width: int
    labels: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    origin: str = "sampler"
    seed: int = 0
    budget: int = 0
    seconds: float = 0.0
    finished: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

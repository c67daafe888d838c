"""What the rows of the tables mean: keys, claims that were given, claims of others."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row

from analysis.records.fidelity import Fidelity
from analysis.records.record import Key

RUNNING = "running"
"""State of a claim whose evaluation has no record yet; afterwards it has that of the record."""
NOBODY = ""
"""Owner of a claim that was let go."""


class Claim(NamedTuple):
    """A claim that was given.

    Attributes:
        attempt: How often somebody has taken this evaluation up; finishing asks for it.
        trial: The number of the trial: that of the first attempt.
    """

    attempt: int
    trial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenClaim:
    """An evaluation of another driver that has no record yet.

    Attributes:
        key: What is evaluated.
        labels: Axis name to label of its design.
        origin: Who asked for it.
        trial: Its number.
        is_abandoned: Whether its lease is over: who claims it has it.
    """

    key: Key
    labels: Mapping[str, str]
    origin: str
    trial: int
    is_abandoned: bool


class Place(NamedTuple):
    """A key as the tables hold it; without a fingerprint, a task that is no evaluation."""

    fingerprint: str
    fidelity: str
    seed: int


def place_of(key: Key) -> Place:
    """The key of an evaluation as the tables hold it."""
    return Place(key.fingerprint, json.dumps(asdict(key.fidelity), sort_keys=True), key.seed)


def key_of(place: Place) -> Key:
    """The key of an evaluation that the tables hold."""
    return Key(place.fingerprint, Fidelity(**json.loads(place.fidelity)), place.seed)


def open_claim(row: Row[Any]) -> OpenClaim:
    """A row with the columns of a claim and `abandoned`."""
    return OpenClaim(
        key=key_of(Place(row.fingerprint, row.fidelity, row.seed)),
        labels=json.loads(row.labels),
        origin=row.origin,
        trial=row.trial,
        is_abandoned=bool(row.abandoned),
    )

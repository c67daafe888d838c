"""Trials, their records, and drivers for tests of claims."""

from collections.abc import Callable
from dataclasses import replace

from analysis.records.record import Record, State
from experiments.search.claims.claims import Claims
from experiments.search.claims.database import Database
from experiments.search.claims.rows import Claim
from experiments.trials.trial import Trial
from tests.experiments_tests.trials.conformance import complete
from tests.experiments_tests.trials.test_loop import trial

STUDY = "a study'; DROP TABLE topformer_claims; --\n../.."
"""A name that would do harm where it were taken for more than a name."""


OPENED: list[Database] = []
"""What a test has reached; closed at its end."""


def reach(url: str, note: Callable[[str], None] = print, *, patience: float = 60.0) -> Database:
    OPENED.append(Database(url, note, patience=patience))
    return OPENED[-1]


def claims(url: str, owner: str = "one", *, lease: float = 60.0) -> Claims:
    made = Claims(reach(url), STUDY, owner, lease=lease)
    made.join()
    return made


def claimed(of: Claims, number: int = 0, *, first: int = 1) -> Claim | None:
    wanted = trial(number)
    return of.claim(wanted.key, trial=number, labels={"width": "64"}, origin="sampler", first=first)


def done(number: int, value: float = 50.0) -> Record:
    return complete(trial(number), value)


def failed(number: int, **changes: object) -> Record:
    record = trial(number).record(State.FAILED, seconds=1.0, reason="the worker died")
    return replace(record, **changes)  # type: ignore[arg-type]


def pruned(number: int) -> Record:
    one: Trial = trial(number, pruned="too slow")
    return one.record(State.PRUNED, seconds=0.0)

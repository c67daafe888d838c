"""One driver among those that share a study: its run folder, its claims, and what it hears of the others."""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from analysis.records.fidelity import Fidelity
from analysis.records.record import Key, Record, State
from analysis.records.study import read_study
from experiments.search.claims.claims import Claims
from experiments.search.claims.clock import ServerClock
from experiments.search.claims.database import Database
from experiments.search.claims.rows import OpenClaim
from experiments.trials.run_folder import RunFolder
from experiments.trials.trial import Trial
from topformer.errors import StorageError, StudyError

LOOK_SECONDS = 1.0
"""Between two looks at what the others did."""
RENEWALS = 4
"""Renewals within a lease: some may come late."""
NUMBERS = 10
"""Numbers of trials that a driver takes at a time; those it does not use stay gaps."""


@dataclass(frozen=True, slots=True)
class News:
    """What others did.

    Attributes:
        records: New ones, in their order; they are in the run folder already.
        claims: All evaluations that others hold or have abandoned.
    """

    records: Sequence[Record]
    claims: Sequence[OpenClaim]


class Listener(Protocol):
    """Who hears what others did: the source of trials."""

    @property
    def waits(self) -> bool:
        """Whether others evaluate what this run wants to know, or would take up."""
        ...

    def learn(self, news: News) -> bool:
        """Take it into account; whether anything of it is new."""
        ...

    def drop(self, key: Key) -> None:
        """A trial that was handed out does not count: another driver has it."""
        ...


class Driver:
    """A `Ledger` that others share.

    A record is in the database before it is in the run folder, and in that before the source is told. A driver that is
    killed in between finds it in the database when it comes back.

    Attributes:
        number: How many drivers had joined before.
    """

    def __init__(self, claims: Claims, folder: RunFolder, note: Callable[[str], None], *, lease: float) -> None:
        """Take part in the study; see `joined`."""
        self._claims, self._folder, self._note = claims, folder, note
        self._between_renewals = lease / RENEWALS
        self._clock = ServerClock(note, tolerance=lease / 2)
        self._listener: Listener | None = None
        self._numbers: deque[int] = deque()
        self._mine: set[tuple[Key, State, str]] = set()
        self._last = 0
        self._look_at = self._renew_at = 0.0
        self.number = claims.join()

    def exchange(self, study: str, fidelity: Fidelity) -> None:
        """Put into the database what only the run folder has, and the other way round.

        Args:
            study: Identity of the study.
            fidelity: The study's, for records of an older version.

        Raises:
            StudyError: The folder's records have numbers that the database gave to other designs.
            RecordError: The folder's records cannot be those of the study.
            StorageError: The database or the disk fails.
        """
        here = read_study(self._folder.records, study=study, fidelity=fidelity).records
        numbered = list(self._claims.records(0))
        self._last = numbered[-1][0] if numbered else 0
        there = [record for _, record in numbered]
        known_there, known_here = ({record.key: record for record in records} for records in (there, here))
        only_here = [record for record in here if _adds(record, known_there)]
        self._check_numbers(only_here, there)
        self._folder.append([record for record in there if _adds(record, known_here)])
        self._claims.add(only_here)

    def _check_numbers(self, here: Sequence[Record], there: Sequence[Record]) -> None:
        given = {record.trial: record.fingerprint for record in there}
        given |= {claim.trial: claim.key.fingerprint for claim in self._claims.others()}
        for record in here:
            if given.get(record.trial, record.fingerprint) != record.fingerprint:
                raise StudyError(
                    f"{self._folder.path} holds trial {record.trial} as {record.fingerprint}, the storage as "
                    f"{given[record.trial]}: it was made without this storage; choose another --out"
                )

    def listen(self, listener: Listener) -> None:
        """Who is told what others did."""
        self._listener = listener

    @property
    def waits(self) -> bool:
        """Whether others evaluate what may come back to this run."""
        return self._listener is not None and self._listener.waits

    def claim(self, trial: Trial, *, most: int | None = None) -> Trial | None:
        """The trial with the number and the attempt that the database gives; None where another driver has it.

        Also None where it is new and `most` evaluations run or are complete.
        """
        if not self._numbers:
            self._numbers.extend(self._claims.numbers(NUMBERS))
        number = self._numbers[0]
        if trial.pruned:
            return replace(trial, number=self._numbers.popleft())
        least = self._folder.attempt(trial.key) + 1
        given = self._claims.claim(
            trial.key, trial=number, labels=trial.labels, origin=trial.origin, first=least, most=most
        )
        if given is None:
            return None
        if given.trial == number:
            self._numbers.popleft()
        return replace(trial, number=given.trial, attempt=given.attempt)

    def reopen(self, keys: Collection[Key]) -> None:
        """Let failed evaluations be tried again, by whichever driver comes first."""
        self._claims.reopen(keys)

    def look(self, *, at_once: bool = False) -> bool:
        """Renew what is held, and tell the listener what others did; whether there was anything."""
        self.renew()
        if self._listener is None or not (at_once or time.monotonic() >= self._look_at):
            return False
        # Claims first: what ends in between is then both, and not neither.
        claims = self._claims.others()
        news = News(self._fresh(), claims)
        self._look_at = time.monotonic() + LOOK_SECONDS
        return self._listener.learn(news)

    def renew(self) -> None:
        """Renew what is held, if it is time; what others have taken meanwhile is evaluated here no longer."""
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + self._between_renewals
        self._clock.saw(self._claims.time())
        for key in self._claims.renew():
            self._note(f"{key.fingerprint} was taken up by another driver: this one gave no news for too long")
            self._folder.withdraw(key)

    def _fresh(self) -> list[Record]:
        """Records that others wrote since the last look, once they are in the run folder."""
        fresh = []
        for number, record in self._claims.records(self._last):
            self._last = number
            if (name := _name(record)) in self._mine:
                self._mine.remove(name)
            else:
                fresh.append(record)
        if fresh:
            self._folder.append(fresh)
        return fresh

    def begin(self, trial: Trial) -> Path:
        """As that of the run folder."""
        return self._folder.begin(trial)

    def append(self, records: Collection[Record]) -> Collection[Key]:
        """Write records into the database, then into the run folder; those that count."""
        kept = self._claims.add([record for record in records if record.state is State.PRUNED])
        kept |= {record.key for record in records if record.state is not State.PRUNED and self._claims.finish(record)}
        written = [record for record in records if record.key in kept]
        self._mine.update(_name(record) for record in written)
        self._folder.append(written)
        if self._listener is not None:
            for key in {record.key for record in records} - kept:
                self._listener.drop(key)
        return kept


@contextmanager
def joined(
    url: str,
    folder: RunFolder,
    *,
    study: str,
    fidelity: Fidelity,
    lease: float,
    note: Callable[[str], None],
) -> Iterator[tuple[Driver, Claims]]:
    """Take part in a study that drivers share in a database, while the block runs.

    At its end, others may take up at once what is held; not where an error ends it: until the lease is over it may
    come back to its checkpoints, and to results that it could not write.

    Args:
        url: The database.
        folder: The driver's run folder, which is entered.
        study: Identity of the study.
        fidelity: That of the study.
        lease: Seconds after which others take up what a driver without news holds.
        note: Told what the user should know.

    Raises:
        StudyError: The folder cannot be one of this study in this database.
        StorageError: The database does not answer or refuses.
    """
    database = Database(url, note)
    claims = Claims(database, study, folder.owner, lease=lease)
    try:
        driver = Driver(claims, folder, note, lease=lease)
        driver.exchange(study, fidelity)
        yield driver, claims
        database.hurry()
        with suppress(StorageError):
            claims.leave()
    finally:
        database.close()


def _adds(record: Record, known: Mapping[Key, Record]) -> bool:
    """Whether a record says more than what is known of its evaluation."""
    other = known.get(record.key)
    return other is None or (other.state is State.FAILED and record.state is not State.FAILED)


def _name(record: Record) -> tuple[Key, State, str]:
    return record.key, record.state, record.finished

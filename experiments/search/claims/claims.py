"""Claims: which driver evaluates what, so that no design is evaluated twice and none is lost with its driver.

Every claim is one row, given by one statement: the database decides between two drivers that want it at once. A claim
is a lease: who gives no news until it expires has lost it to whoever comes next, whose attempt is one higher; finishing
asks for owner and attempt, so that a driver that was only asleep changes nothing any more. While the server is away
nobody can renew: no lease is over before the server has been there again for as long as one lasts.

A record gets its number and becomes visible under the lock of the study's row. Without that, a transaction with a lower
number could become visible after one with a higher number, and who reads "all above the last one" would never see it.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Executable, Row, Update, and_, case, func, or_, select, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from analysis.records.record import Key, Record, State, decode, encode
from experiments.search.claims.database import Database
from experiments.search.claims.rows import NOBODY, RUNNING, Claim, OpenClaim, Place, key_of, open_claim, place_of
from experiments.search.claims.tables import CLAIMS, KEY, RECORDS, STUDIES
from topformer.errors import RecordError, StorageError

_BATCH = 200
"""Records that are written or read together."""
_PLACE = (CLAIMS.c.fingerprint, CLAIMS.c.fidelity, CLAIMS.c.seed)


class Claims:
    """The claims and records of one study, as one of its drivers sees and changes them.

    Every method may raise a `StorageError`: the database refuses or does not answer.
    """

    def __init__(self, database: Database, study: str, owner: str, *, lease: float) -> None:
        """Name study and driver; `join` comes first.

        Args:
            database: Where they are.
            study: Identity of the study.
            owner: Name of the driver; that of no other.
            lease: Seconds after which a claim that was not renewed can be taken by others.
        """
        self._database, self._study, self._owner, self._lease = database, study, owner, lease
        self._held: dict[Place, int] = {}

    def join(self) -> int:
        """Take part; how many drivers have joined before.

        What a process of the same name held, which must have ended, stays this driver's for another lease: it has the
        checkpoints.
        """
        kept = update(CLAIMS).where(*self._mine()).values(expires=self._database.now + self._lease)
        first = self._database.insert(STUDIES).values(study=self._study, trials=0, records=0, drivers=0)
        more = self._of_study().values(drivers=STUDIES.c.drivers + 1).returning(STUDIES.c.drivers)

        def work(connection: Connection) -> int:
            connection.execute(first.on_conflict_do_nothing())
            joined = int(connection.execute(more).scalar_one())
            connection.execute(kept)
            return joined - 1

        return self._database.run(work)

    def leave(self) -> None:
        """Let go of everything: others may take it up at once."""
        self._held.clear()
        self._database.run(partial(_execute, self._letting_go()))

    def numbers(self, count: int) -> range:
        """Numbers for trials, which nobody else gets."""
        statement = self._of_study().values(trials=STUDIES.c.trials + count).returning(STUDIES.c.trials)
        last = self._database.run(lambda connection: int(connection.execute(statement).scalar_one()))
        return range(last - count, last)

    def claim(
        self,
        key: Key,
        *,
        trial: int,
        labels: Mapping[str, str],
        origin: str,
        first: int = 1,
        most: int | None = None,
    ) -> Claim | None:
        """Claim an evaluation; None where another driver has it, it has a record, or there are enough.

        Args:
            key: What is evaluated.
            trial: Its number, if nobody has claimed it before.
            labels: Axis name to label of its design.
            origin: Who asks for it.
            first: The least attempt: more than what the folder of its checkpoints notes.
            most: Evaluations that run or are complete, from which on none is begun that nobody has claimed before.
        """
        values = {"trial": trial, "labels": json.dumps(dict(labels)), "origin": origin}
        return self._claim(place_of(key), first, most, **values)

    def hold(self, task: str) -> bool:
        """Claim a task of the study that is no evaluation, so that one driver at a time does it."""
        return self._claim(Place("", task, 0), 1, None, trial=-1, labels="{}", origin="") is not None

    def holds(self, task: str) -> bool:
        """Whether the task is still this driver's, as the last renewal said."""
        return Place("", task, 0) in self._held

    def let_go(self, task: str) -> None:
        """Leave the task to whoever wants it next."""
        if self._held.pop(place := Place("", task, 0), 0):
            mine = (*self._at(place), CLAIMS.c.owner == self._owner)
            self._database.run(partial(_execute, update(CLAIMS).where(*mine).values(owner=NOBODY, expires=0.0)))

    def time(self) -> float:
        """What the clock of the server says, in seconds since 1970."""
        statement = select(self._database.now)
        return self._database.run(lambda connection: float(connection.execute(statement).scalar_one()))

    def _claim(self, place: Place, first: int, most: int | None, **values: Any) -> Claim | None:
        row = {"study": self._study, **place._asdict(), **values, "owner": self._owner, "state": RUNNING}
        now = self._database.now
        fresh = self._database.insert(CLAIMS).values(**row, attempt=first, expires=now + self._lease)
        higher, least = CLAIMS.c.attempt + 1, fresh.excluded.attempt
        statement = fresh.on_conflict_do_update(
            index_elements=KEY,
            set_={
                "owner": self._owner,
                "attempt": case((higher > least, higher), else_=least),
                "expires": now + self._lease,
            },
            # One's own: the database had given it, and only its answer was lost.
            where=and_(CLAIMS.c.state == RUNNING, or_(self._is_over(), CLAIMS.c.owner == self._owner)),
        ).returning(CLAIMS.c.attempt, CLAIMS.c.trial)

        def work(connection: Connection) -> Claim | None:
            if most is not None and not self._has_room(connection, place, most):
                return None
            row = connection.execute(statement).first()
            return None if row is None else Claim(row.attempt, row.trial)

        found = self._database.run(work)
        if found is not None:
            self._held[place] = found.attempt
        return found

    def _has_room(self, connection: Connection, place: Place, most: int) -> bool:
        # Two drivers that each see one free place would take two.
        if self._lock(connection) <= most:
            # To count takes the longer, the more there are.
            return True
        if connection.execute(select(CLAIMS.c.trial).where(*self._at(place))).first() is not None:
            return True
        begun = select(func.count()).where(
            CLAIMS.c.study == self._study,
            CLAIMS.c.state.in_((RUNNING, State.COMPLETE.value)),
            CLAIMS.c.fingerprint != "",
        )
        return int(connection.execute(begun).scalar_one()) < most

    def renew(self) -> list[Key]:
        """Lengthen the leases of all that is held; which evaluations others have taken meanwhile."""
        held = [(*place, attempt) for place, attempt in self._held.items()]
        if not held:
            return []
        statement = (
            update(CLAIMS)
            .where(*self._mine())
            .where(tuple_(*_PLACE, CLAIMS.c.attempt).in_(held))
            .values(expires=self._database.now + self._lease)
            .returning(*_PLACE)
        )
        rows = self._database.run(partial(_rows, statement))
        lost = self._held.keys() - {Place(row.fingerprint, row.fidelity, row.seed) for row in rows}
        for place in lost:
            del self._held[place]
        return [key_of(place) for place in lost if place.fingerprint]

    def finish(self, record: Record) -> bool:
        """Write the record of a claimed evaluation; whether it counts, which it does not where others have taken it."""
        place = place_of(record.key)
        mine = and_(*self._at(place), CLAIMS.c.owner == self._owner, CLAIMS.c.attempt == self._held.pop(place, 0))

        def work(connection: Connection) -> bool:
            self._lock(connection)
            running = mine & (CLAIMS.c.state == RUNNING)
            if connection.execute(update(CLAIMS).where(running).values(state=record.state.value)).rowcount:
                self._write(connection, [record])
                return True
            # Written already, where only the answer was lost.
            return connection.execute(select(CLAIMS.c.attempt).where(mine)).first() is not None

        return self._database.run(work)

    def add(self, records: Sequence[Record]) -> set[Key]:
        """Write records of evaluations that nobody claimed, such as pruned ones; which of them were not there yet.

        Those that were evaluated cannot be claimed any more.
        """
        added: set[Key] = set()
        for chunk in _chunks(records):
            added |= self._database.run(partial(self._add, chunk))
        return added

    def _add(self, records: Sequence[Record], connection: Connection) -> set[Key]:
        highest = max(record.trial for record in records) + 1
        connection.execute(self._of_study().where(STUDIES.c.trials < highest).values(trials=highest))
        evaluated = [
            {"study": self._study, **place_of(record.key)._asdict(), "owner": NOBODY, "attempt": 1, "expires": 0.0}
            | {"state": record.state.value, "trial": record.trial, "labels": "{}", "origin": record.origin}
            for record in records
            if record.state is not State.PRUNED
        ]
        if evaluated:
            fresh = self._database.insert(CLAIMS).values(evaluated)
            better = {"state": fresh.excluded.state}
            connection.execute(
                fresh.on_conflict_do_update(index_elements=KEY, set_=better, where=CLAIMS.c.state == State.FAILED.value)
            )
        return self._write(connection, records)

    def _write(self, connection: Connection, records: Sequence[Record]) -> set[Key]:
        """Records with the next numbers; a failed one gives way to that of its repetition, no other does."""
        count = self._of_study().values(records=STUDIES.c.records + len(records)).returning(STUDIES.c.records)
        first = int(connection.execute(count).scalar_one()) - len(records) + 1
        rows = [
            {"study": self._study, **place_of(record.key)._asdict(), "id": number}
            | {"state": record.state.value, "line": encode(record).decode("ascii")}
            for number, record in enumerate(records, start=first)
        ]
        fresh = self._database.insert(RECORDS).values(rows)
        statement = fresh.on_conflict_do_update(
            index_elements=KEY,
            set_={name: fresh.excluded[name] for name in ("id", "state", "line")},
            where=RECORDS.c.state == State.FAILED.value,
        ).returning(RECORDS.c.fingerprint, RECORDS.c.fidelity, RECORDS.c.seed)
        return {key_of(Place(*row)) for row in connection.execute(statement)}

    def reopen(self, keys: Collection[Key]) -> None:
        """Make failed evaluations open again, for whoever claims them first."""
        statements = [
            update(CLAIMS)
            .where(*self._at(place_of(key)), CLAIMS.c.state == State.FAILED.value)
            .values(state=RUNNING, owner=NOBODY, expires=0.0)
            for key in keys
        ]
        for statement in statements:
            self._database.run(partial(_execute, statement))

    def others(self) -> list[OpenClaim]:
        """The evaluations without a record that this driver does not hold; what its last process held is abandoned."""
        abandoned = or_(self._is_over(), CLAIMS.c.owner == self._owner).label("abandoned")
        statement = select(*_PLACE, CLAIMS.c.labels, CLAIMS.c.origin, CLAIMS.c.trial, abandoned).where(
            CLAIMS.c.study == self._study, CLAIMS.c.state == RUNNING, CLAIMS.c.fingerprint != ""
        )
        rows = self._database.run(partial(_rows, statement))
        return [open_claim(row) for row in rows if Place(row.fingerprint, row.fidelity, row.seed) not in self._held]

    def records(self, after: int) -> Iterator[tuple[int, Record]]:
        """The records with a higher number than `after`, each with its own, in their order."""
        while True:
            statement = (
                select(RECORDS.c.id, RECORDS.c.line)
                .where(RECORDS.c.study == self._study, RECORDS.c.id > after)
                .order_by(RECORDS.c.id)
                .limit(_BATCH)
            )
            rows = self._database.run(partial(_rows, statement))
            for row in rows:
                yield row.id, self._decoded(row.line)
                after = row.id
            if len(rows) < _BATCH:
                return

    def _decoded(self, line: str) -> Record:
        try:
            return decode(line.encode())
        except RecordError as error:
            raise StorageError(f"storage {self._database.shown} holds what is no record of ours: {error}") from None

    def _at(self, place: Place) -> tuple[ColumnElement[bool], ...]:
        return (CLAIMS.c.study == self._study, *(CLAIMS.c[name] == value for name, value in place._asdict().items()))

    def _is_over(self) -> ColumnElement[bool]:
        """Nobody holds a claim: it was let go, or its driver had the chance to renew it and did not."""
        now, least = self._database.now, self._database.up_since + self._lease
        return or_(CLAIMS.c.owner == NOBODY, and_(CLAIMS.c.expires < now, least < now))

    def _lock(self, connection: Connection) -> int:
        """Lock the study's row, before any other: transactions that lock in one order never wait for each other.

        Gives how many numbers of trials were given out, at least as many as evaluations were begun.
        """
        statement = self._of_study().values(drivers=STUDIES.c.drivers).returning(STUDIES.c.trials)
        return int(connection.execute(statement).scalar_one())

    def _of_study(self) -> Update:
        return update(STUDIES).where(STUDIES.c.study == self._study)

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return (CLAIMS.c.study == self._study, CLAIMS.c.owner == self._owner, CLAIMS.c.state == RUNNING)

    def _letting_go(self) -> Update:
        return update(CLAIMS).where(*self._mine()).values(owner=NOBODY, expires=0.0)


def _execute(statement: Executable, connection: Connection) -> None:
    connection.execute(statement)


def _rows(statement: Executable, connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(statement).all()


def _chunks(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), _BATCH):
        yield records[start : start + _BATCH]

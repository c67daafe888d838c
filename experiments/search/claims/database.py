"""A database that is reached again where its connection is lost, and whose every failure is one sentence."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import URL, Connection, Double, Table, create_engine, event, inspect, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    DisconnectionError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.sql.elements import ColumnElement

from experiments.search.claims.tables import METADATA, SCHEMA, VERSION
from experiments.search.definition import JOURNAL
from experiments.search.storage import read_url, shown_address
from topformer.errors import StorageError, StudyError
from topformer.optional_packages import command

PATIENCE_SECONDS = 60.0
"""How long a database that has answered before may be away, as it is while it starts again."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_LOST = (OperationalError, InterfaceError, DisconnectionError)
"""What a lost connection raises; also a server that starts, a lock that is not given, a disk that is full."""
_CONNECTIONS = {
    # A network that swallows packets is noticed within half a minute.
    "postgresql": {
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    },
    # Seconds that a writer waits for the others.
    "sqlite": {"timeout": 30},
}
_SLEEP_MILLISECONDS = 5_000
_CLOCKS = {
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
_STARTS = {
    "postgresql": "CAST(extract(epoch FROM pg_postmaster_start_time()) AS DOUBLE PRECISION)",
    # A file has no server that may have been away.
    "sqlite": "0.0",
}
Insert = postgresql.Insert | sqlite.Insert
T = TypeVar("T")


class Database:
    """Transactions of a database that drivers can share: PostgreSQL, or SQLite on one machine.

    Attributes:
        shown: Its address, without what may be secret.
        now: Seconds since 1970 by the clock of the server; those of the drivers may differ.
        up_since: When the server started, by the same clock.
    """

    def __init__(self, url: str, note: Callable[[str], None], *, patience: float = PATIENCE_SECONDS) -> None:
        """Reach it, and make its tables where there are none.

        Args:
            url: As SQLAlchemy reads it.
            note: Told when the connection is lost.
            patience: Seconds for which a lost connection is tried again.

        Raises:
            StudyError: The URL is none, or that of a database in memory.
            StorageError: No answer, no package for it, no right to make tables, or tables of another version.
        """
        parsed = read_url(url)
        if _is_in_memory(parsed):
            raise StudyError(f"storage {shown_address(parsed)} is gone with its process: name a file, sqlite:///FILE")
        self.shown = shown_address(parsed)
        self._secret, self._backend = parsed.password or "", parsed.get_backend_name()
        self.now: ColumnElement[float] = literal_column(_CLOCKS[self._backend], Double)
        self.up_since: ColumnElement[float] = literal_column(_STARTS[self._backend], Double)
        self._note, self._patience = note, 0.0
        with self._sentences():
            self._engine = create_engine(parsed, connect_args=_CONNECTIONS[self._backend])
            if self._backend == "postgresql":
                event.listen(self._engine, "connect", _limit_sleep)
        try:
            self._make_tables()
        except BaseException:
            self.close()
            raise
        self._patience = patience

    def run(self, work: Callable[[Connection], T]) -> T:
        """A transaction, tried again where the connection is lost: `work` must do no harm when it is done twice.

        Raises:
            StorageError: The database refuses, or does not answer for as long as patience lasts.
        """
        ends, pause = time.monotonic() + self._patience, _FIRST_PAUSE
        with self._sentences():
            while True:
                try:
                    with self._engine.begin() as connection:
                        return work(connection)
                except _LOST as error:
                    if _is_refusal(error) or time.monotonic() + pause > ends:
                        raise
                    if pause == _FIRST_PAUSE:
                        self._note(f"storage {self.shown} does not answer and is tried again: {self._reason(error)}")
                    self._engine.dispose()
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)

    def insert(self, table: Table) -> Insert:
        """An INSERT that can say what is done on a conflict."""
        return postgresql.insert(table) if self._backend == "postgresql" else sqlite.insert(table)

    def hurry(self) -> None:
        """From now on, try nothing again."""
        self._patience = 0.0

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()

    def _make_tables(self) -> None:
        for turn in range(3):
            try:
                self._make_once()
            except _MadeByAnother:
                # Two drivers that begin at once; the other one's tables are there in a moment.
                time.sleep(0.2 * (turn + 1))
            else:
                return
        raise StorageError(f"storage {self.shown} does not give its tables: others make them, again and again")

    def _make_once(self) -> None:
        with self._sentences():
            try:
                with self._engine.begin() as connection:
                    if inspect(connection).has_table(SCHEMA.name):
                        self._check_version(connection)
                    METADATA.create_all(connection)
                    connection.execute(self.insert(SCHEMA).values(version=VERSION).on_conflict_do_nothing())
            except (IntegrityError, ProgrammingError, OperationalError) as error:
                if "already exists" in str(error):
                    raise _MadeByAnother from None
                raise

    def _check_version(self, connection: Connection) -> None:
        found = [row.version for row in connection.execute(select(SCHEMA.c.version))]
        if any(version != VERSION for version in found):
            raise StorageError(
                f"storage {self.shown} holds tables of version {found[0]}, this program reads and writes version "
                f"{VERSION}: use the program that made them, or another database"
            )

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Every failure as one sentence, without the password."""
        try:
            yield
        except ImportError as error:
            line = command("postgresql")
            raise StorageError(f"storage {self.shown} needs a package ({self._reason(error)}): {line}") from None
        except (*_LOST, OSError) as error:
            what = "refuses" if _is_refusal(error) else "does not answer"
            raise StorageError(f"storage {self.shown} {what}: {self._reason(error)}") from error
        except SQLAlchemyError as error:
            raise StorageError(f"storage {self.shown} refuses: {self._reason(error)}") from error

    def _reason(self, error: BaseException) -> str:
        text = " ".join(str(getattr(error, "orig", None) or error).split())
        return text.replace(self._secret, "***") if self._secret else text


def _is_refusal(error: BaseException) -> bool:
    """Whether SQLite may not write, which it reports as the same class of error as a lost connection."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    # The lowest byte is the result, the others say more of it: https://www.sqlite.org/rescode.html
    return code is not None and code & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)


def _is_in_memory(url: URL) -> bool:
    is_named = url.database not in (None, "", ":memory:") and url.query.get("mode") != "memory"
    return url.get_backend_name() == "sqlite" and not is_named


class _MadeByAnother(Exception):
    """The tables appeared while they were made."""


def _limit_sleep(connection: DBAPIConnection, _record: object) -> None:
    """Let the server end a transaction whose driver sleeps in it: the others wait for its locks."""
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = {_SLEEP_MILLISECONDS}")
    cursor.close()
    connection.commit()


def is_shared(url: str) -> bool:
    """Whether drivers can share the database of a URL.

    Raises:
        StudyError: The URL is none.
    """
    return url != JOURNAL and read_url(url).get_backend_name() in _CONNECTIONS

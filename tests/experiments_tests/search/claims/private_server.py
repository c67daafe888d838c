"""A PostgreSQL server of one's own, for as long as a test needs it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import create_engine


def binaries() -> Path | None:
    """The folder of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    other = shutil.which("initdb")
    return found[-1].parent if found else Path(other).parent if other else None


class PrivateServer:
    """Trusts everybody on the loopback; a context manager. As root, which it refuses to be, it runs as `postgres`.

    Attributes:
        folder: Its files.
        port: Where it listens on the loopback.
    """

    def __init__(self) -> None:
        # Not below pytest's folder, which only its owner may enter.
        self.folder, self._bin = Path(tempfile.mkdtemp(prefix="postgresql-")), binaries()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        data = self.folder / "data"
        self._run(f"{self._bin}/initdb -D {data} -A trust -U postgres --no-sync -E UTF8 --locale=C.UTF-8")
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        options = f"-c unix_socket_directories={self.folder} -c listen_addresses=127.0.0.1 -c fsync=off -p {self.port}"
        self._run(f'{self._bin}/pg_ctl -D {self.folder}/data -l {self.folder}/log -w -o "{options}" start')

    def stop(self) -> None:
        """At once, as at a power cut."""
        self._run(f"{self._bin}/pg_ctl -D {self.folder}/data -m immediate -w stop")

    def database(self) -> str:
        """The URL of an empty one; what was in it is gone."""
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return self.url()

    def url(self, user: str = "postgres") -> str:
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/postgres"

    @contextmanager
    def asking_for_passwords(self, user: str, password: str) -> Iterator[None]:
        """A user who may make tables, and is let in by a password alone."""
        rules = self.folder / "data" / "pg_hba.conf"
        before = rules.read_text()
        quoted = password.replace("'", "''").replace("%", "%%")
        self.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{quoted}'; GRANT ALL ON SCHEMA public TO {user}")
        try:
            rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{before}")
            self.execute("SELECT pg_reload_conf()")
            time.sleep(0.2)
            yield
        finally:
            rules.write_text(before)
            self.execute(f"SELECT pg_reload_conf(); DROP OWNED BY {user}; DROP ROLE {user}")

    def execute(self, statement: str) -> None:
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            # As it stands: a colon names no parameter.
            connection.exec_driver_sql(statement)
        engine.dispose()

    def _run(self, command: str) -> None:
        whole = ["su", "postgres", "-s", "/bin/sh", "-c", command] if os.getuid() == 0 else ["sh", "-c", command]
        # No pipe for its output: that would stay open as long as the server runs.
        subprocess.run(whole, check=True, stdout=subprocess.DEVNULL, cwd="/")

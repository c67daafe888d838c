"""The database that drivers share: reached, reached again, refused in one sentence."""

import sys
import threading
import time
import traceback
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, delete, select, text, update

from experiments.search.claims.database import Database, is_shared
from experiments.search.claims.tables import SCHEMA, VERSION
from tests.experiments_tests.search.claims.examples import reach
from tests.experiments_tests.search.claims.private_server import PrivateServer
from topformer.errors import StorageError, StudyError


def version(connection: Connection) -> int:
    return int(connection.execute(select(SCHEMA.c.version)).scalar_one())


def test_the_tables_are_made_once_however_many_begin(url: str) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(reach(url).run(version))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [VERSION] * 6


def test_the_clock_is_that_of_the_server(url: str) -> None:
    database = reach(url)
    assert database.run(lambda connection: connection.execute(select(database.now)).scalar_one()) == pytest.approx(
        time.time(), abs=60
    )


def test_tables_of_another_version_are_refused_and_stay(url: str) -> None:
    database = reach(url)
    database.run(lambda connection: connection.execute(update(SCHEMA).values(version=7)).close())
    with pytest.raises(StorageError, match="holds tables of version 7, this program reads and writes version 1: use"):
        Database(url, print)
    assert database.run(version) == 7


def test_a_restart_of_the_server_is_outlived_and_said(server: PrivateServer) -> None:
    notes: list[str] = []
    database = reach(server.database(), notes.append)
    server.stop()
    starting = threading.Timer(0.5, server.start)
    starting.start()
    assert database.run(version) == VERSION
    starting.join()
    assert len(notes) == 1
    assert "does not answer and is tried again" in notes[0]


def test_patience_ends(server: PrivateServer) -> None:
    database = reach(server.database(), patience=0.5)
    server.stop()
    try:
        with pytest.raises(StorageError, match=r"storage postgresql\+psycopg://.* does not answer: connection"):
            database.run(version)
    finally:
        server.start()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://me:se%3Bcret@127.0.0.1:9/study",
        "postgresql+psycopg://127.0.0.1:9/study?user=me&password=se;cret",
        "postgresql+psycopg://me:se%3Bcret@no.such.host.invalid/study",
    ],
)
def test_an_address_that_does_not_answer_is_one_sentence_without_the_password(address: str) -> None:
    began = time.monotonic()
    with pytest.raises(StorageError, match=r"^storage postgresql\+psycopg://\S+ does not answer: ") as caught:
        Database(address, print)
    assert time.monotonic() - began < 15
    assert "cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("password", ["p@ss:w/rd", "50%25 off?#&=", "quo'te\"; DROP TABLE x; --", "gr\xfc\xdfe \\ \t"])
def test_a_password_of_any_letters_lets_in_and_a_wrong_one_is_never_shown(server: PrivateServer, password: str) -> None:
    server.database()
    with server.asking_for_passwords("guest", password):
        right = URL.create("postgresql+psycopg", "guest", password, "127.0.0.1", server.port, "postgres")
        reach(right.render_as_string(hide_password=False)).close()
        wrong = right.set(password=password + "-wrong-secret").render_as_string(hide_password=False)
        with pytest.raises(StorageError, match='password authentication failed for user "guest"') as caught:
            Database(wrong, print)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///x.db?mode=memory"])
def test_a_database_in_memory_is_refused(address: str) -> None:
    with pytest.raises(StudyError, match="is gone with its process: name a file, sqlite:///FILE"):
        Database(address, print)


def test_an_at_sign_in_a_password_is_asked_for_in_its_code_and_nothing_of_it_shown() -> None:
    with pytest.raises(StudyError, match="in a user name or password it is written %40") as caught:
        Database("postgresql+psycopg://me:half@secret@db/study", print)
    assert "secret" not in str(caught.value)


def test_without_rights_it_is_said(server: PrivateServer) -> None:
    server.database()
    server.execute("CREATE ROLE guest LOGIN; GRANT USAGE ON SCHEMA public TO guest")
    with pytest.raises(StorageError, match="refuses: permission denied for schema public"):
        Database(server.url(user="guest"), print)
    server.execute("DROP OWNED BY guest; DROP ROLE guest")


def test_a_driver_package_that_is_missing_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StorageError, match=r"needs a package .*psycopg.*: python -m pip install psycopg\[binary\]"):
        Database("postgresql+psycopg://me@127.0.0.1:9/study", print)


def test_what_the_database_refuses_is_not_tried_again(server: PrivateServer) -> None:
    database, notes = reach(server.database()), list[str]()

    def work(connection: Connection) -> None:
        notes.append("once")
        connection.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises(StorageError, match='refuses: relation "no_such_table" does not exist'):
        database.run(work)
    assert notes == ["once"]


@pytest.mark.parametrize(
    ("address", "shared"),
    [("journal", False), ("mysql://x/y", False), ("sqlite:///x.db", True), ("postgresql+psycopg://x/y", True)],
)
def test_which_databases_are_shared(address: str, shared: bool) -> None:
    assert is_shared(address) is shared


def test_what_is_no_url_is_refused_without_being_shown() -> None:
    with pytest.raises(StudyError, match="not this 44-letter one") as caught:
        is_shared("postgresql://me:secret@127.0.0.1:notaport/xy")
    assert "secret" not in str(caught.value)


def test_a_folder_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not answer: unable to open database file"):
        Database(f"sqlite:///{tmp_path}/no/such/folder.db", print)


def test_a_file_that_may_only_be_read_refuses_at_once(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path / 'claims.db'}", print).close()
    said: list[str] = []
    locked = f"sqlite:///file:{tmp_path / 'claims.db'}?mode=ro&uri=true"
    with pytest.raises(StorageError, match=r"refuses: .*readonly database"):
        Database(locked, said.append).run(lambda connection: connection.execute(delete(SCHEMA)))
    assert said == []

"""A database for each test, in a server of this test run and in a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.experiments_tests.search.claims.examples import OPENED
from tests.experiments_tests.search.claims.private_server import PrivateServer, binaries


@pytest.fixture(scope="session")
def server() -> Iterator[PrivateServer]:
    if binaries() is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    with PrivateServer() as running:
        yield running


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.db'}"
    server: PrivateServer = request.getfixturevalue("server")
    return server.database()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Connections that a test has opened end with it."""
    yield
    while OPENED:
        OPENED.pop().close()

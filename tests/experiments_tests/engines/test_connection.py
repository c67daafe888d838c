"""Connecting to a cluster that is none, and what keeps Ray from working here."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.engines.connection import MODE, START_WAIT, TOKEN, TOKEN_PATH, Token, connected, problems_here
from experiments.engines.workers import Workers
from tests.experiments_tests.engines.ray_cluster import NEEDS_RAY
from topformer.errors import InputError

pytestmark = NEEDS_RAY


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a token or settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (MODE, TOKEN, TOKEN_PATH, START_WAIT):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine on which nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def address() -> Iterator[str]:
    """Where something of this machine listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    "address", ["nonsense", "ray://here:10001", "here:", ":6379", "here:0", "here:65536", "a b:1", ""]
)
def test_an_address_that_is_none(address: str) -> None:
    with (
        pytest.raises(InputError, match=r"--address must be auto or HOST:PORT, such as 10[.]0[.]0[.]1:6379, got"),
        connected(address, Workers()),
    ):
        pass


def test_an_address_that_does_not_answer(closed_port: int) -> None:
    message = f"no Ray cluster answers at 127[.]0[.]0[.]1:{closed_port}: Connection refused"
    with pytest.raises(InputError, match=message), connected(f"127.0.0.1:{closed_port}", Workers()):
        pass


def test_a_token_is_found_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(Token.here()) == "no token"
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text("very-secret")
    assert str(Token.here()) == f"token in {file}"
    monkeypatch.setenv(TOKEN_PATH, str(tmp_path / "elsewhere"))
    assert str(Token.here()) == "no token"
    monkeypatch.setenv(TOKEN, "very-secret")
    monkeypatch.setenv(MODE, "token")
    assert str(Token.here()) == f"token in the variable {TOKEN}, {MODE}=token"
    assert problems_here() == []


def test_what_is_missing_is_said_with_the_line_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems_here()
    assert problem.startswith("no token yet: one machine makes its own; several need the same")
    monkeypatch.setenv(MODE, "token")
    assert problems_here() == [f"{MODE}=token, but there is no token: ray get-auth-token --generate"]
    monkeypatch.setenv(MODE, "disabled")
    assert problems_here() == []
    monkeypatch.setenv(START_WAIT, "30")
    assert problems_here() == [f"{START_WAIT}=30 is short for a busy machine: export {START_WAIT}=300"]


def test_doctor_says_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "very-secret")
    monkeypatch.setenv(START_WAIT, "soon")
    main(["doctor"])
    printed = capsys.readouterr().out
    assert f"token in the variable {TOKEN}; waits soon s for its own processes" in printed
    assert f"Ray: {START_WAIT}=soon is short for a busy machine: export {START_WAIT}=300" in printed
    main(["doctor", "--json"])
    printed += capsys.readouterr().out
    assert json.loads(printed[printed.index("{") :])["ray"]["problems"]
    assert "very-secret" not in printed


@pytest.mark.parametrize(
    ("ray_there", "python_there", "mends"),
    [("2.1.0", "", "python -m pip install ray==2.1.0"), ("", "3.9.9", "run Python 3.9.9 here")],
)
def test_a_cluster_of_another_version_is_one_sentence_with_the_line_that_mends_it(
    ray_there: str, python_there: str, mends: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray
    from ray._private.utils import check_version_info, compute_version_info

    ray_here, python_here = compute_version_info()  # type: ignore[no-untyped-call]
    other = {"ray_version": ray_there or ray_here, "python_version": python_there or python_here}
    # What Ray itself says of the two, without the cluster.
    monkeypatch.setattr(ray, "init", lambda **_options: check_version_info(other, "node 10.0.0.1"))
    message = (
        f"the Ray cluster at {address} has Ray {other['ray_version']} with Python {other['python_version']}, and "
        f"this machine Ray {ray_here} with Python {python_here}; all machines need the same: {mends}"
    )
    with pytest.raises(InputError) as caught, connected(address, Workers()):
        pass
    assert str(caught.value) == message


def test_doctor_says_why_a_cluster_cannot_be_used(capsys: pytest.CaptureFixture[str], closed_port: int) -> None:
    assert main(["doctor", "--address", f"127.0.0.1:{closed_port}"]) == 1
    printed = capsys.readouterr().out
    assert f"Ray: no Ray cluster answers at 127.0.0.1:{closed_port}: Connection refused; ray status" in printed


def test_without_ray_the_line_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.engines.connection.find_spec", lambda _name: None)
    message = r"--engine ray needs the package ray, which is not installed; python -m pip install ray"
    with pytest.raises(InputError, match=message), connected(None, Workers()):
        pass

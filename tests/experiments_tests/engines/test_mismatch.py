"""A cluster that asks for a token: who has another one, or another version of Ray, gets one sentence."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.engines.connection import MODE, TOKEN, TOKEN_PATH
from tests import ROOT
from tests.experiments_tests.engines.ray_cluster import FOLDER, NEEDS_RAY, end, free_port, has_started, ray_start

pytestmark = [pytest.mark.slow, NEEDS_RAY]
TRIES = 3
RIGHT, WRONG = "a" * 64, "b" * 64
OTHER_VERSION = """
import ray
ray.__version__ = "2.1.0"
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a head alone, started as on a cluster of several machines."""
    for _ in range(TRIES):
        # Short, because Ray's sockets are below it.
        folder, port = tmp_path_factory.mktemp("r"), free_port()
        options = ["--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false"]
        environment = {MODE: "token", TOKEN: RIGHT, FOLDER: str(folder)}
        head = ray_start(folder / "said", *options, environment=environment)
        try:
            if has_started(head, folder / "said"):
                yield f"127.0.0.1:{port}"
                return
        finally:
            end(head)
    pytest.skip(f"Ray did not start here in {TRIES} tries, which a busy machine does to it")


def doctor(address: str, home: Path, token: str, prelude: str = "") -> tuple[int, str]:
    """Status of `topformer doctor --address`, and its last line; nothing may be on standard error."""
    environment = {key: value for key, value in os.environ.items() if key not in (MODE, TOKEN_PATH)}
    call = (
        f"{prelude}\nimport sys\nfrom experiments.cli import main\nsys.exit(main(['doctor', '--address', {address!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", call],
        cwd=ROOT,
        env={**environment, TOKEN: token, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stderr == ""
    assert token not in done.stdout
    return done.returncode, next(line for line in reversed(done.stdout.splitlines()) if line.startswith("Ray: "))


def test_who_has_the_token_is_let_in(address: str, tmp_path: Path) -> None:
    assert doctor(address, tmp_path, RIGHT) == (
        0,
        f"Ray: the cluster at {address} lets this machine in: 1 machine, 0 cores, 0 GPUs",
    )


def test_another_token_is_one_sentence(address: str, tmp_path: Path) -> None:
    status, line = doctor(address, tmp_path, WRONG)
    assert status == 1
    assert line == (
        f"Ray: the Ray cluster at {address} does not take this machine's token (token in the variable {TOKEN}): "
        f"copy ~/.ray/auth_token of the machine where it was started, and set {MODE}=token"
    )


def test_another_version_is_one_sentence(address: str, tmp_path: Path) -> None:
    status, line = doctor(address, tmp_path, RIGHT, OTHER_VERSION)
    assert status == 1
    assert line.startswith(f"Ray: the Ray cluster at {address} has Ray ")
    assert ", and this machine Ray 2.1.0 with Python " in line
    assert "all machines need the same: python -m pip install ray==" in line

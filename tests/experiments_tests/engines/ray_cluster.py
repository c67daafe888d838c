"""A Ray cluster of several machines that are all this one, for tests; nothing of it is left afterwards."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from experiments.engines.connection import START_SECONDS, START_WAIT

NEEDS_RAY = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
"""Without an import: Ray reads how long it may wait for its own start when it is loaded."""
STORE_BYTES = 80 * 2**20
SERVERS = ("raylet", "gcs_server")
FOLDER = "RAY_TMPDIR"
"""Variable in the environment of all that belongs to a cluster: where its files are."""


@contextmanager
def a_cluster(**node: Any) -> Iterator[Any]:
    """A head without cores, and one node; a `ray.cluster_utils.Cluster`, which this process is connected to."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "ray"
        folder.mkdir()
        patch.setenv(START_WAIT, str(START_SECONDS))
        # Where `Cluster` notes its address for `auto`: not in the place of this machine's own cluster.
        patch.setenv(FOLDER, name)
        import ray
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES, "temp_dir": str(folder)}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            cluster.add_node(object_store_memory=STORE_BYTES, **node)
            cluster.wait_for_nodes()
            ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.CRITICAL)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()  # type: ignore[no-untyped-call]
    deadline = time.monotonic() + 20
    while left := servers(name):
        if time.monotonic() > deadline:
            raise AssertionError(f"processes of Ray are left: {left}")
        time.sleep(0.1)


def servers(folder: str) -> set[int]:
    """Processes of Ray's servers that live and were started for a cluster in that folder."""
    found = set()
    for one in psutil.process_iter(["name", "status"]):
        if one.info["name"] in SERVERS and one.info["status"] != psutil.STATUS_ZOMBIE:
            with suppress(psutil.Error):
                found |= {one.pid} if one.environ().get(FOLDER) == folder else set()
    return found


def ray_start(said: Path, *options: str, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """`ray start --block` with these options and variables besides, as on a machine of a cluster; prints to a file."""
    program = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
    with said.open("w") as file:
        return subprocess.Popen(
            [*program, f"--object-store-memory={STORE_BYTES}", *options],
            env={**os.environ, START_WAIT: str(START_SECONDS), **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def has_started(process: "subprocess.Popen[bytes]", said: Path) -> bool:
    """Wait until a `ray start` says that it runs; false where it does not come to that."""
    deadline = time.monotonic() + START_SECONDS / 3
    while "Ray runtime started" not in said.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a `ray start` and what it has started, gently first."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number

"""A Ray cluster of several machines that are all this one, for tests; nothing of it is left afterwards."""

import logging
import time
from collections.abc import Iterator
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
def machines(**node: Any) -> Iterator[Any]:
    """A head without cores, and one node; a `ray.cluster_utils.Cluster`, to which nobody is connected."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "ray"
        folder.mkdir()
        patch.setenv(START_WAIT, str(START_SECONDS))
        # Where `Cluster` notes its address for `auto`: not in the place of this machine's own cluster.
        patch.setenv(FOLDER, name)
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES, "temp_dir": str(folder)}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            cluster.add_node(object_store_memory=STORE_BYTES, **node)
            cluster.wait_for_nodes()
            yield cluster
        finally:
            cluster.shutdown()  # type: ignore[no-untyped-call]
    deadline = time.monotonic() + 20
    while left := servers(name):
        if time.monotonic() > deadline:
            raise AssertionError(f"processes of Ray are left: {left}")
        time.sleep(0.1)


@contextmanager
def a_cluster(**node: Any) -> Iterator[Any]:
    """The same, with this process connected to it."""
    with machines(**node) as cluster:
        import ray

        try:
            ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.CRITICAL)
            yield cluster
        finally:
            ray.shutdown()


def servers(folder: str) -> set[int]:
    """Processes of Ray's servers that live and were started for a cluster in that folder."""
    found = set()
    for one in psutil.process_iter(["name", "status"]):
        if one.info["name"] in SERVERS and one.info["status"] != psutil.STATUS_ZOMBIE:
            with suppress(psutil.Error):
                found |= {one.pid} if one.environ().get(FOLDER) == folder else set()
    return found

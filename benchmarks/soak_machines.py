"""The machines of a soak's Ray cluster, which are all this one, and the processes of a soak by what marks them."""

import os
import subprocess
from pathlib import Path
from random import Random

import psutil

from tests.experiments_tests.engines.ray_cluster import FOLDER, end, free_port, has_started, ray_start

MARK, NODE = "TOPFORMER_SOAK", "TOPFORMER_SOAK_MACHINE"
"""Variables in the environment of every process of a soak, its folder, and of all that a machine runs, its name."""
COUNT = 2
_TRIES = 5
_OPTIONS = ("--num-cpus=1", "--min-worker-port=0", "--max-worker-port=0")


class Machines:
    """A head without cores, and two machines with one each; one that was killed is replaced by `join`.

    Attributes:
        address: Of the cluster.
    """

    def __init__(self, folder: Path, random: Random) -> None:
        """Start the head.

        Raises:
            SystemExit: It does not start.
        """
        folder.mkdir()
        self._folder, self._random, self._number = folder, random, 0
        # No secrets: all of it is on the loopback and ends with the soak.
        self._environment = {"RAY_AUTH_MODE": "disabled", FOLDER: str(folder)}
        os.environ.update(self._environment)
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        for _ in range(_TRIES):
            port = free_port()
            self.address = f"127.0.0.1:{port}"
            options = ("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false")
            self._head = ray_start(folder / "head", *options, environment=self._environment)
            if has_started(self._head, folder / "head"):
                break
            end(self._head)
        else:
            raise SystemExit(f"Ray does not start here: {(folder / 'head').read_text()[-300:]}")
        self.join()

    def join(self) -> None:
        """Let machines join in the place of those that have ended; nobody waits until they are there."""
        self._nodes = {name: process for name, process in self._nodes.items() if process.poll() is None}
        while len(self._nodes) < COUNT:
            self._number += 1
            name = f"machine-{self._number}"
            environment = {**self._environment, NODE: name}
            options = (f"--address={self.address}", *_OPTIONS)
            self._nodes[name] = ray_start(self._folder / name, *options, environment=environment)

    def kill_one(self) -> bool:
        """Kill all of a machine at once; false where none has joined."""
        joined = [name for name in self._nodes if "Ray runtime started" in (self._folder / name).read_text()]
        if not joined:
            return False
        name = self._random.choice(joined)
        for process in _with(NODE, name):
            process.kill()
        self._nodes.pop(name).wait()
        return True

    def processes(self) -> list[psutil.Process]:
        """All that the machines run, without the head."""
        return [process for name in self._nodes for process in _with(NODE, name)]

    def close(self) -> None:
        """End the machines, then the head."""
        for process in (*self._nodes.values(), self._head):
            end(process)


def _with(variable: str, value: str) -> list[psutil.Process]:
    """The processes in whose environment a variable has a value."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(variable) == value:
                found.append(process)
        except psutil.Error:
            continue
    return found


def command(process: psutil.Process) -> str:
    """The command line of a process; empty where it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def left(root: Path) -> list[str]:
    """Processes of a soak that still run, but this one, and ended ones that nobody asked about."""
    own = psutil.Process()
    running = [one for one in _with(MARK, str(root)) if one != own]
    zombies = [one for one in own.children() if one.status() == psutil.STATUS_ZOMBIE]
    return [f"{one.pid} {command(one)[:80]}" for one in (*running, *zombies)]

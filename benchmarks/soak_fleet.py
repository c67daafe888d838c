"""The drivers of a soak, and what is done to them."""

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import psutil

from benchmarks.soak_machines import Machines, command
from tests.experiments_tests.search.claims.private_server import PrivateServer

ROOT = Path(__file__).parents[1]
KILLS = ("worker", "driver", "node", "server")
PRESSURE = {"worker": 12, "driver": 3, "node": 1, "stopped worker": 2, "server": 2}
"""What is hit, and how often in twenty."""
_DRIVERS = ("driver-0", "driver-ray", "driver-2")


class Fleet:
    """The drivers, one of them with a Ray cluster, and what is done to them.

    Attributes:
        folders: The run folders.
        log: What the evaluations note.
        errors: What the drivers said when they ended.
        hits: What was done so far, and how often.
    """

    def __init__(self, root: Path, server: PrivateServer, machines: Machines, seconds: float, random: Random) -> None:
        self.folders = [root / name for name in _DRIVERS]
        self.log, self.errors, self.hits = root / "log", root / "errors", Counter[str]()
        self._said = self.errors.open("a")
        self._server, self._machines, self._seconds, self._random = server, machines, seconds, random
        self._url = server.url()
        self._running: dict[Path, subprocess.Popen[bytes]] = {}

    @property
    def kills(self) -> int:
        """Processes, machines and servers that were killed."""
        return sum(self.hits[what] for what in KILLS)

    def start(self, folder: Path) -> None:
        """Start the driver of a folder, if it does not run."""
        process = self._running.get(folder)
        if process is not None and process.poll() is None:
            return
        cluster = [self._machines.address] if folder.name == "driver-ray" else []
        arguments = [folder, self.log, self._seconds, self._url, *cluster]
        program = [sys.executable, "-m", "benchmarks.soak_driver", *map(str, arguments)]
        self._running[folder] = subprocess.Popen(program, cwd=ROOT, stderr=self._said)

    def hit(self) -> None:
        """One misfortune."""
        (what,) = self._random.choices(list(PRESSURE), list(PRESSURE.values()))
        deeds = {"server": self._hit_server, "driver": self._hit_driver, "node": self._machines.kill_one}
        if what in deeds:
            has_hit = deeds[what]()
        else:
            has_hit = self._hit_worker(signal.SIGKILL if what == "worker" else signal.SIGSTOP)
        self.hits[what] += has_hit
        self._machines.join()

    def _hit_server(self) -> bool:
        self._server.stop()
        time.sleep(self._random.uniform(0, 1))
        self._server.start()
        return True

    def _hit_driver(self) -> bool:
        # One that is only starting would be an easy prey.
        busy = [folder for folder in self.folders if self._workers(folder)]
        if not busy:
            return False
        folder = self._random.choice(busy)
        self._running[folder].kill()
        self._running[folder].wait()
        self.start(folder)
        return True

    def _hit_worker(self, number: signal.Signals) -> bool:
        workers = [worker for folder in self.folders for worker in self._workers(folder)]
        if not workers:
            return False
        victim = self._random.choice(workers)
        try:
            victim.send_signal(number)
            if number == signal.SIGSTOP:
                # A stop that its driver notices would take minutes; here it only sleeps through some of its time.
                time.sleep(self._random.uniform(0, 1))
                victim.send_signal(signal.SIGCONT)
        except psutil.NoSuchProcess:
            return False
        return True

    def wait(self, most: float) -> bool:
        """Whether all drivers ended well within that many seconds; those that failed begin again."""
        ends = time.monotonic() + most
        while time.monotonic() < ends:
            status = {folder: process.poll() for folder, process in self._running.items()}
            if all(code == 0 for code in status.values()):
                return True
            for folder, code in status.items():
                if code not in (None, 0):
                    # Without a machine, that of Ray cannot start.
                    self._machines.join()
                    self.start(folder)
            time.sleep(0.2)
        return False

    def fill_disk(self, folder: Path) -> None:
        """Leave no room on the disk of a driver until it has ended, or for some seconds; then make room."""
        process, filler = self._running[folder], folder / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(b"\0" * 65_536)
                    file.flush()
            except OSError:
                pass
        ends = time.monotonic() + 15
        while process.poll() is None and time.monotonic() < ends:
            time.sleep(0.1)
        filler.unlink()
        self.hits["full disk"] += 1
        self.start(folder)

    def close(self) -> None:
        """Nothing of it runs."""
        for process in self._running.values():
            process.kill()
            process.wait()
        self._said.close()

    def _workers(self, folder: Path) -> list[psutil.Process]:
        """The processes in which a driver's evaluations run; those of Ray's workers are no children of its own."""
        driver = self._running[folder]
        if driver.poll() is not None:
            return []
        if folder.name != "driver-ray":
            return _spawned(psutil.Process(driver.pid))
        slots = [one for one in self._machines.processes() if command(one).startswith("ray::Slot")]
        return [worker for slot in slots for worker in _spawned(slot)]


def _spawned(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return [child for child in parent.children() if "spawn_main" in command(child)]
    except psutil.Error:
        return []

"""The drivers of a soak, and what is done to them."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import psutil

from tests.experiments_tests.search.claims.private_server import PrivateServer

ROOT = Path(__file__).parents[1]
DRIVERS = 3
MARK = "TOPFORMER_SOAK"
"""Variable in the environment of every process of a soak: its folder."""
PRESSURE = {"worker": 13, "driver": 3, "stopped worker": 2, "server": 2}
"""What is hit, and how often in twenty."""


class Fleet:
    """The drivers, and what is done to them."""

    def __init__(self, root: Path, server: PrivateServer, seconds: float, random: Random) -> None:
        self.folders = [root / f"driver-{number}" for number in range(DRIVERS)]
        self.log, self.hits = root / "log", Counter[str]()
        self._errors = (root / "errors").open("a")
        self._server, self._seconds, self._random = server, seconds, random
        self._url = server.url()
        self._running: dict[Path, subprocess.Popen[bytes]] = {}

    def start(self, folder: Path) -> None:
        """Start the driver of a folder, if it does not run."""
        process = self._running.get(folder)
        if process is not None and process.poll() is None:
            return
        arguments = [folder, self.log, self._seconds, self._url]
        program = [sys.executable, "-m", "benchmarks.soak", "--drive", *map(str, arguments)]
        # By which what it starts is known.
        marked = {**os.environ, MARK: str(folder.parent)}
        self._running[folder] = subprocess.Popen(program, cwd=ROOT, stderr=self._errors, env=marked)

    def hit(self) -> None:
        """One misfortune."""
        (what,) = self._random.choices(list(PRESSURE), list(PRESSURE.values()))
        if what == "server":
            self._server.stop()
            time.sleep(self._random.uniform(0, 1))
            self._server.start()
        elif what == "driver":
            # One that is only starting would be an easy prey.
            busy = [folder for folder, process in self._running.items() if _workers(process.pid)]
            if not busy:
                return
            folder = self._random.choice(busy)
            self._running[folder].kill()
            self._running[folder].wait()
            self.start(folder)
        elif not self._hit_worker(signal.SIGKILL if what == "worker" else signal.SIGSTOP):
            return
        self.hits[what] += 1

    def _hit_worker(self, number: signal.Signals) -> bool:
        workers = [child for process in self._running.values() for child in _workers(process.pid)]
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
        self._errors.close()


def _workers(driver: int) -> list[psutil.Process]:
    try:
        children = psutil.Process(driver).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    except psutil.Error:
        return []

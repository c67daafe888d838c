"""The part of the Ray engine that lives on the cluster: one worker of a machine, at the driver's orders.

The evaluations run in a process of its own, that of `LocalEngine`: what becomes of one that dies is seen here, at once
and with its signal, and its children end with it. This part answers while that one computes.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.engines.engine import Ended, Event, Interruption, Iterations, Task
from experiments.engines.local import LocalEngine
from experiments.engines.workers import Workers
from topformer import __version__

ASIDE = "aside"
"""Group of methods, such as `Slot.stop`, that are called while others run."""
GROUPS: Mapping[str, int] = {ASIDE: 1}
"""Such groups, with the number of threads of each."""
_LONGEST_SECONDS = 10.0
"""How long a question for news waits: a worker that says nothing is asked this often."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the driver tells a slot of itself.

    Attributes:
        folder: Current folder of the driver, at which relative paths start.
        logs: Folder for what the worker prints.
        token: A file that the driver has written there.
    """

    folder: Path
    logs: Path
    token: Path


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a slot finds where it is.

    Attributes:
        host: Name of its machine.
        version: Of the project there.
        lacks: A path of the driver's that is not there; None where all are.
    """

    host: str
    version: str
    lacks: Path | None


class Slot:
    """One worker; its methods are called from the driver, `stop` while `evaluate` waits."""

    def __init__(self, number: int, cpus: float) -> None:
        self._number, self._cpus = number, cpus
        self._interruption = Interruption()
        self._one_at_a_time = threading.Lock()
        self._engine: LocalEngine | None = None
        self._task = -1
        self._ended: Ended | None = None
        # A process that multiprocessing spawns would run the main script again, which is Ray's and loads all of it.
        vars(sys.modules["__main__"]).pop("__file__", None)

    def arrive(self, place: Place) -> Arrival:
        """Look whether what the driver sees is here, too, and get ready."""
        lacks = next((path for path in (place.folder, place.token) if not path.exists()), None)
        if lacks is None:
            os.chdir(place.folder)
            # The GPUs are those that Ray gave to this process, and its children see no others.
            self._engine = LocalEngine(Workers(cpus=self._cpus), logs=place.logs, first=self._number, is_guarded=True)
        return Arrival(host=socket.gethostname(), version=__version__, lacks=lacks)

    def evaluate(self, number: int, task: Task, seconds: float) -> list[Event]:
        """Start a task, if that was not done yet, and give the news of it; to be called until it has ended.

        An answer that was lost on the way is given again: asked anew, the slot neither starts the task a second time
        nor forgets how it ended.

        Args:
            number: Of the task, which tells it from others.
            task: What is evaluated.
            seconds: After this time there need not be an end: iterations are news as well.

        Returns:
            The last iterations there are, and the end if it came; nothing after a while without either.
        """
        assert self._engine is not None
        with self._one_at_a_time:
            if number != self._task:
                self._engine.submit(task)
                self._task, self._ended = number, None
            iterations: Iterations | None = None
            began = time.monotonic()
            while self._ended is None and not self._interruption.requested:
                waited = time.monotonic() - began
                if waited >= _LONGEST_SECONDS or (iterations is not None and waited >= seconds):
                    break
                for event in self._engine.wait(self._interruption):
                    if isinstance(event, Iterations):
                        iterations = event
                    else:
                        self._ended = event
            return [event for event in (iterations, self._ended) if event is not None]

    def stop(self) -> None:
        """End what runs, with its children."""
        self._interruption.request()
        with self._one_at_a_time:
            if self._engine is not None:
                self._engine.__exit__(None, None, None)

"""Evaluations in processes of their own, so that a crash of one is not the end of the sweep."""

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self

from experiments.evaluators.base import Accuracy, Evaluator
from search_space.candidate import Candidate
from topformer.errors import DataError, ExplorerError, StorageError, StudyError

ATTEMPTS = 2
"""How often a design is tried whose worker dies; the second time it continues from its checkpoint."""
_MESSAGE_SECONDS = 0.2
_GRACE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Task:
    """One evaluation.

    Attributes:
        key: The candidate's fingerprint.
        candidate: What is evaluated.
        budget: Updates to spend.
        seed: Seed of the evaluation.
        folder: Where its checkpoints are.
    """

    key: str
    candidate: Candidate
    budget: int
    seed: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Updates:
    """News of a running evaluation: updates done, and in all."""

    key: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Done:
    """An evaluation gave an accuracy."""

    key: str
    accuracy: Accuracy


@dataclass(frozen=True, slots=True)
class Failed:
    """An evaluation gave none; the sweep goes on."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Hopeless:
    """Nothing can be evaluated, for instance because the data set is broken; the sweep ends."""

    key: str
    error: ExplorerError


Event = Updates | Done | Failed | Hopeless


class Interruption:
    """Within it, the first Ctrl-C is a request to stop; a second one interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        self.reader, self._writer = get_context("spawn").Pipe(duplex=False)

    def __enter__(self) -> Self:
        self._is_main = threading.current_thread() is threading.main_thread()
        if self._is_main:
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_main:
            signal.signal(signal.SIGINT, self._previous)

    def _note(self, _signal: int, _frame: object) -> None:
        self.requested = True
        self._writer.send_bytes(b"stop")
        signal.signal(signal.SIGINT, self._previous)


class _Worker:
    """One process and the task that it is at."""

    def __init__(self, number: int, evaluator: Callable[[], Evaluator], logs: Path) -> None:
        self._evaluator, self._log = evaluator, logs / f"worker-{number}.log"
        self.task: Task | None = None
        self.attempt = 0
        self._process: BaseProcess | None = None
        self.connection: Connection

    def start(self, task: Task, attempt: int = 1) -> None:
        """Hand over a task, to a new process if there is none or it is dead."""
        if self._process is None or not self._process.is_alive():
            self._spawn()
        self.task, self.attempt = task, attempt
        # A process that died this moment closes the connection, which `receive` reports.
        with suppress(BrokenPipeError):
            self.connection.send(task)

    def receive(self) -> Event | None:
        """What the process says; None after a death that is tried again."""
        assert self.task is not None
        try:
            event: Event = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return self._bury()
        if not isinstance(event, Updates):
            self.task = None
        return event

    def stop(self) -> None:
        """End the process, gently first."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.join(_GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _spawn(self) -> None:
        context = get_context("spawn")
        self.connection, remote = context.Pipe()
        arguments = (remote, pickle.dumps(self._evaluator), self._log)
        # No daemon: those may have no children, such as the processes that load data.
        self._process = context.Process(target=_work, args=arguments, daemon=False)
        with _ignoring_interrupts():
            self._process.start()
        # Only the worker holds this end now: its death is seen as the end of the stream.
        remote.close()

    def _bury(self) -> Event | None:
        assert self._process is not None
        assert self.task is not None
        self._process.join()
        self.connection.close()
        task, status = self.task, self._process.exitcode or 0
        if self.attempt < ATTEMPTS:
            self.start(task, self.attempt + 1)
            return None
        self.task = None
        cause = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        return Failed(task.key, f"the worker died {ATTEMPTS} times, last with {cause}{_last_words(self._log)}")


class Engine:
    """A number of workers; use it as a context manager, which ends them."""

    def __init__(self, workers: int, evaluator: Callable[[], Evaluator], *, logs: Path) -> None:
        """Prepare the workers; a process starts with its first task.

        Args:
            workers: Evaluations that run beside each other, each with one thread.
            evaluator: Makes the evaluator inside a worker; must be picklable.
            logs: Folder for what the workers print.
        """
        logs.mkdir(parents=True, exist_ok=True)
        self._workers = [_Worker(number, evaluator, logs) for number in range(workers)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.stop()

    @property
    def free(self) -> int:
        """Number of workers without a task."""
        return sum(worker.task is None for worker in self._workers)

    @property
    def busy(self) -> int:
        """Number of evaluations that run."""
        return len(self._workers) - self.free

    def submit(self, task: Task) -> None:
        """Start an evaluation; there must be a free worker."""
        next(worker for worker in self._workers if worker.task is None).start(task)

    def wait(self, interruption: Interruption) -> list[Event]:
        """The news of the running evaluations; returns when there are any, or when the user wants to stop."""
        busy = {worker.connection: worker for worker in self._workers if worker.task is not None}
        ready = wait([*busy, interruption.reader])
        events = [worker.receive() for connection, worker in busy.items() if connection in ready]
        return [event for event in events if event is not None]


def _work(connection: Connection, evaluator: bytes, log: Path) -> None:
    """The life of a worker process: evaluate what comes, until the parent is gone."""
    _prepare_process(log)
    make: Callable[[], Evaluator] = pickle.loads(evaluator)  # noqa: S301 - sent by our own parent
    made: Evaluator | None = None
    while True:
        try:
            task: Task = connection.recv()
        except EOFError:
            return
        try:
            made = made or make()
            accuracy = made.evaluate(
                task.candidate,
                budget=task.budget,
                seed=task.seed,
                folder=task.folder,
                progress=_reporter(connection, task.key),
            )
        except (DataError, StorageError, StudyError) as error:
            connection.send(Hopeless(task.key, type(error)(str(error))))
        except ExplorerError as error:
            connection.send(Failed(task.key, str(error)))
        else:
            connection.send(Done(task.key, accuracy))


def _prepare_process(log: Path) -> None:
    """One thread, no Ctrl-C, output to a file, and an end as soon as the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Read by the numeric libraries when they load, which is after this.
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _reporter(connection: Connection, key: str) -> Callable[[int, int], None]:
    """A progress callback that sends a few messages a second at most."""
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _MESSAGE_SECONDS or done == total:
            last = now
            connection.send(Updates(key, done, total))

    return report


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """A process started within is deaf to Ctrl-C from its first instruction."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _last_words(log: Path) -> str:
    """The last line that the worker printed, such as the message of a Python error."""
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        words = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {words[:300]}" if words else ""
    return ""

"""Evaluations in processes of their own, so that a crash of one is not the end of the run."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import active_children, get_context, parent_process, set_start_method
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from experiments.engines.engine import Event, Failed, Interruption, Iterations, Task, perform
from experiments.engines.fence import begin_attempt
from experiments.engines.silence import Silence
from experiments.engines.workers import Workers, gpus_here
from experiments.evaluators.base import Evaluator

ATTEMPTS = 2
"""How often a design is tried whose worker dies; the second time it continues from its checkpoint."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_MESSAGE_SECONDS = 0.2
_GRACE_SECONDS = 5
_GUARD_SECONDS = 0.3
_IDLE_SHARE = 0.01
"""Of a processor, which a worker that computes uses more of."""
_CHECK_SECONDS = 1
"""Between two looks at whether workers live: a child that a dead worker left behind holds its connection open."""


class _Worker:
    """One process and the task that it is at.

    The process leads a group of its own, so that its children, such as those that load data, end with it.
    """

    def __init__(
        self, log: Path, environment: Mapping[str, str], silence: Silence, *, is_guarded: bool = False
    ) -> None:
        self._log, self._environment, self._silence, self._is_guarded = log, environment, silence, is_guarded
        self.task: Task | None = None
        self._attempt = 0
        self._process: BaseProcess | None = None
        self._computed: float
        self.connection: Connection

    def start(self, task: Task, attempt: int = 1) -> None:
        """Hand over a task, to a new process if there is none or it is dead."""
        if self._process is None or not self._process.is_alive():
            self._spawn()
        self._silence.begin()
        # A process that died this moment closes the connection, which `receive` reports.
        with suppress(BrokenPipeError):
            self.connection.send(task)
        self.task, self._attempt = task, attempt

    def news(self, *, readable: bool) -> Event | None:
        """What the process says, or that it is dead; None where neither, or where a death is tried again."""
        assert self._process is not None
        # Asked first: what a dead process said before is then in the connection.
        alive = self._process.is_alive()
        if readable or self.connection.poll():
            return self._receive()
        if alive and self._silence.is_too_long and not self._computes():
            return self._bury(f"no news for {self._silence.limit:,.0f} s")
        return None if alive else self._bury()

    def stop(self) -> None:
        """End the process and its children, gently first."""
        if self._process is None:
            return
        self._signal_group(signal.SIGTERM)
        self._process.join(_GRACE_SECONDS)
        self._signal_group(signal.SIGKILL)
        self._process.join()

    def _receive(self) -> Event | None:
        try:
            event: Event = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return self._bury()
        self._silence.heard()
        if not isinstance(event, Iterations):
            self.task = None
        return event

    def _computes(self) -> bool:
        """Whether the process and its children used the processor since this was last asked: a score takes its time."""
        assert self._process is not None
        before, self._computed = self._computed, _processor_seconds(self._process.pid)
        # What merely wakes up now and then, such as a thread that waits, does not compute.
        is_computing = self._computed - before > _IDLE_SHARE * self._silence.limit
        if is_computing:
            self._silence.excuse()
        return is_computing

    def _spawn(self) -> None:
        self._computed = 0.0
        context = get_context("spawn")
        self.connection, remote = context.Pipe()
        # No daemon: those may have no children.
        self._process = context.Process(
            target=_work, args=(remote, self._log, self._environment, self._is_guarded), daemon=False
        )
        with _ignoring_interrupts():
            self._process.start()
        # Only the worker holds this end now: its death is seen as the end of the stream.
        remote.close()

    def _bury(self, why: str = "") -> Event | None:
        """End what is left of the process, and try its task again; `why` where it has not ended of itself."""
        assert self._process is not None
        assert self.task is not None
        if why:
            self._signal_group(signal.SIGKILL)
        self._process.join()
        self._signal_group(signal.SIGKILL)
        self.connection.close()
        task, status = self.task, self._process.exitcode or 0
        if self._attempt < ATTEMPTS:
            self.start(task, self._attempt + 1)
            return None
        self.task = None
        cause = why or (f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}")
        reason = f"the worker died {ATTEMPTS} times, last with {cause}{_last_words(self._log)}"
        return Failed(task.key, reason, is_machines=True)

    def _signal_group(self, number: signal.Signals) -> None:
        """To the process and its children; to nobody where none of them lives."""
        assert self._process is not None
        assert self._process.pid is not None
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            # Younger than its own group, or the end of it.
            if self._process.is_alive():
                self._process.kill()


class LocalEngine:
    """A number of worker processes on this machine."""

    def __init__(
        self,
        workers: Workers,
        *,
        logs: Path,
        uses_gpu: bool = False,
        note: Callable[[str], None] = lambda _text: None,  # noqa: ARG002
        first: int = 0,
        is_guarded: bool = False,
        silence: Callable[[], Silence] = Silence,
    ) -> None:
        """Prepare the workers; a process starts with its first task.

        Args:
            workers: What runs beside each other. With a number of GPUs, each worker sees its own; without one and
                without `uses_gpu`, what the process that makes the engine sees.
            logs: Folder for what the workers print.
            uses_gpu: Whether the evaluations use a GPU where there is one.
            note: Nothing is told.
            first: Number of the first worker, in the names of logs.
            is_guarded: Whether the children of a worker end with it also where it is killed in one moment with the
                process that made the engine, as Ray kills both.
            silence: How long a worker may give no news without computing, before it is ended and its task tried again.

        Raises:
            StudyError: The machine has too few GPUs.
        """
        logs.mkdir(parents=True, exist_ok=True)
        self._workers = [
            _Worker(logs / f"worker-{number}.log", environment, silence(), is_guarded=is_guarded)
            for number, environment in enumerate(_environments(workers, uses_gpu=uses_gpu), start=first)
        ]

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
        if task.attempt is None:
            task = replace(task, attempt=begin_attempt(task.folder))
        next(worker for worker in self._workers if worker.task is None).start(task)

    def wait(self, interruption: Interruption) -> list[Event]:
        """The news of the running evaluations; see `Engine.wait`."""
        busy = [worker for worker in self._workers if worker.task is not None]
        ready = wait([*(worker.connection for worker in busy), interruption.reader], timeout=_CHECK_SECONDS)
        events = [worker.news(readable=worker.connection in ready) for worker in busy]
        return [event for event in events if event is not None]


def _environments(workers: Workers, *, uses_gpu: bool) -> list[Mapping[str, str]]:
    """For every worker, what the numeric libraries read when they load."""
    threads = str(workers.threads)
    common = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    if workers.gpus is None and not uses_gpu:
        return [common] * workers.count
    available = gpus_here()
    settled = workers.settled(uses_gpu=uses_gpu, available=available)
    visible = os.environ.get(_VISIBLE, "").split(",") if os.environ.get(_VISIBLE) else list(map(str, range(available)))
    return [{**common, _VISIBLE: ",".join(visible[i] for i in place)} for place in settled.places(available)]


def _work(connection: Connection, log: Path, environment: Mapping[str, str], is_guarded: bool) -> None:
    """The life of a worker process: evaluate what comes, until the parent is gone."""
    _prepare_process(log, environment, is_guarded)
    evaluators: dict[bytes, Evaluator] = {}
    try:
        while (task := _next_task(connection)) is not None:
            connection.send(perform(task, evaluators, _reporter(connection)))
    finally:
        # After an unexpected error Python would wait for them.
        for child in active_children():
            child.kill()


def _next_task(connection: Connection) -> Task | None:
    try:
        task: Task = connection.recv()
    except EOFError:
        return None
    return task


def _prepare_process(log: Path, environment: Mapping[str, str], is_guarded: bool) -> None:
    """Its own threads and GPUs, no Ctrl-C, output to a file, and an end as soon as the parent is gone."""
    os.setpgid(0, 0)
    if is_guarded:
        _guard()
    # The platform's own way to start children: by spawn, as this process was started, each would load torch anew.
    set_start_method(None, force=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Read by the numeric libraries when they load, which is after this.
    os.environ.update(environment)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=follow, daemon=True).start()


def _guard() -> None:
    """Leave a process that ends this one's group as soon as this one is gone."""
    worker = os.getpid()
    # Before there are threads, and before anything large is loaded.
    if os.fork():
        return
    # What it would hold open tells others whether the worker lives.
    os.closerange(0, os.sysconf("SC_OPEN_MAX"))
    while os.getppid() == worker:
        time.sleep(_GUARD_SECONDS)
    os.killpg(0, signal.SIGKILL)


def _reporter(connection: Connection) -> Callable[[Iterations], None]:
    """Sends a few messages a second at most."""
    last = 0.0

    def report(news: Iterations) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _MESSAGE_SECONDS or news.done == news.total:
            last = now
            connection.send(news)

    return report


def _processor_seconds(number: int | None) -> float:
    """Of a process and its children, ended ones included; 0 where it has ended itself."""
    with suppress(psutil.Error):
        process = psutil.Process(number)
        used = [process.cpu_times(), *(child.cpu_times() for child in process.children(recursive=True))]
        return float(sum(sum(times[:4]) for times in used))
    return 0.0


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

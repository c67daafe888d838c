"""What an engine is: it runs evaluations of any evaluator somewhere, and says what becomes of them."""

import pickle
import signal
import threading
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from analysis.records.record import Key
from experiments.engines.fence import check_attempt
from experiments.engines.workers import Workers
from experiments.evaluators.base import Accuracy, Evaluator, EvaluatorMaker, Progress
from search_space.candidate import Candidate
from topformer.errors import DataError, ExplorerError, MachineError, StorageError, StudyError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells expect it."""
_FENCE_SECONDS = 1.0
"""Between two looks at whether a later attempt has begun."""


@dataclass(frozen=True, slots=True)
class Task:
    """One evaluation, as it travels to a worker.

    Attributes:
        key: What is evaluated: no two tasks that run beside each other share it.
        evaluator: Makes the evaluator in the worker; picklable.
        candidate: What is evaluated.
        folder: Where its checkpoints are.
        attempt: Its number in the fence of the folder (`experiments.engines.fence`); None without one.
    """

    key: Key
    evaluator: EvaluatorMaker
    candidate: Candidate
    folder: Path
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Iterations:
    """News of a running evaluation: iterations done, and in all."""

    key: Key
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Done:
    """An evaluation gave an accuracy."""

    key: Key
    accuracy: Accuracy


@dataclass(frozen=True, slots=True)
class Failed:
    """An evaluation gave none; others may.

    Attributes:
        key: The evaluation.
        reason: Why, in words.
        is_machines: Whether the machine was the cause, not the design.
    """

    key: Key
    reason: str
    is_machines: bool = False


@dataclass(frozen=True, slots=True)
class Fatal:
    """Nothing can be evaluated, for instance because the data set is broken: the run ends."""

    key: Key
    error: ExplorerError


Ended = Done | Failed | Fatal
Event = Iterations | Ended


class Engine(Protocol):
    """Runs evaluations; a context manager, at whose end nothing of them runs any more.

    Every task that is submitted is answered by exactly one `Ended` event, unless the context ends before.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def free(self) -> int:
        """Number of evaluations that can be submitted now."""
        ...

    @property
    def busy(self) -> int:
        """Number of evaluations that run."""
        ...

    def submit(self, task: Task) -> None:
        """Start an evaluation; only while `free` is above 0."""
        ...

    def wait(self, interruption: "Interruption") -> list[Event]:
        """The news of what runs: returns when there are any, when the user wants to stop, or empty after a while."""
        ...


class EngineMaker(Protocol):
    """Makes an engine; every entry of `experiments.engines.ENGINES` is one."""

    def __call__(
        self, workers: Workers, *, logs: Path, uses_gpu: bool = False, note: Callable[[str], None] = ...
    ) -> Engine:
        """The engine, not entered yet.

        Args:
            workers: What runs beside each other.
            logs: Folder for what the workers print.
            uses_gpu: Whether the evaluations use a GPU where there is one.
            note: Told what the user should know of the workers.

        Raises:
            StudyError: The machine has no room for the workers.
        """
        ...


class Interruption:
    """Within it, the first Ctrl-C is a request to stop; a second one interrupts at once.

    Attributes:
        requested: Whether the user wants to stop.
        reader: Readable from then on, for engines that wait on file descriptors.
    """

    def __init__(self) -> None:
        self.requested = False
        self.reader, self._writer = Pipe(duplex=False)

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

    def request(self) -> None:
        """Ask the run to stop: what runs is left, and taken up when the run is continued."""
        self.requested = True
        self._writer.send_bytes(b"stop")

    def _note(self, _signal: int, _frame: object) -> None:
        self.request()
        signal.signal(signal.SIGINT, self._previous)


def perform(task: Task, evaluators: MutableMapping[bytes, Evaluator], report: Callable[[Iterations], None]) -> Ended:
    """What a worker of any engine does with a task: every error that is raised on purpose becomes an event.

    Args:
        task: The evaluation.
        evaluators: Those that this worker has made; they keep the decoded data set from one task to the next.
        report: Told how far the evaluation is, as often as the evaluator says.
    """
    try:
        evaluator = _evaluator(task.evaluator, evaluators)
        begun = time.process_time()
        accuracy = evaluator.evaluate(
            task.candidate,
            budget=task.key.fidelity.budget,
            seed=task.key.seed,
            folder=task.folder,
            progress=_fenced(task, lambda done, total: report(Iterations(task.key, done, total))),
        )
    except (DataError, StorageError, StudyError) as error:
        # A fresh one of its text, because the error itself may hold what cannot be sent.
        return Fatal(task.key, type(error)(str(error)))
    except ExplorerError as error:
        return Failed(task.key, str(error), is_machines=isinstance(error, MachineError))
    if accuracy.cpu_seconds is None:
        accuracy = replace(accuracy, cpu_seconds=time.process_time() - begun)
    return Done(task.key, accuracy)


def _fenced(task: Task, progress: Progress) -> Progress:
    """Stops the evaluation, by an error, once a later attempt has begun in its folder."""
    if (attempt := task.attempt) is None:
        return progress
    looked = -_FENCE_SECONDS

    def fenced(done: int, total: int) -> None:
        nonlocal looked
        if time.monotonic() - looked >= _FENCE_SECONDS:
            looked = time.monotonic()
            check_attempt(task.folder, attempt)
        progress(done, total)

    return fenced


def _evaluator(make: EvaluatorMaker, evaluators: MutableMapping[bytes, Evaluator]) -> Evaluator:
    name = pickle.dumps(make)
    if name not in evaluators:
        evaluators[name] = make()
    return evaluators[name]

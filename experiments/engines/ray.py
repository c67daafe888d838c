"""Evaluations on a Ray cluster: one actor for each worker, retried by us, because only we know the checkpoints."""

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from experiments.engines.connection import connected
from experiments.engines.engine import Ended, Event, Failed, Interruption, Task
from experiments.engines.fence import begin_attempt
from experiments.engines.room import room_for
from experiments.engines.slot import ASIDE, GROUPS, Arrival, Place, Slot
from experiments.engines.workers import Workers
from topformer import __version__
from topformer.errors import InputError, MachineError, StorageError

DEATHS = 5
"""How often a design is tried whose machine vanishes; a worker's own death is counted by `LocalEngine`."""
_START_SECONDS = 120
"""How long a run waits for its first worker, and for a new one after the last."""
_FULL_SECONDS = 30
"""How long the first worker waits for the others that should have room."""
_TURN_SECONDS = 1.0
_LOOK_SECONDS = 0.2
"""Between two looks at whether the user wants to stop."""
_LOST_SECONDS = 1.0
"""Between two questions to a worker that cannot be reached, and is not known to be dead."""
_STOP_SECONDS = 15
_SHARED = ".shared-"
"""Start of the name of the file by which a worker sees that the folder is shared."""
_NEWS_SECONDS, _NEWS_RATE = 0.5, 200
"""A worker tells its iterations this often, all of them together at most 200 times a second."""


@dataclass(slots=True)
class _Running:
    """A task on its way: its number among all, and how often a worker died of it or with it."""

    number: int
    task: Task
    deaths: int = 0


@dataclass(slots=True)
class _Seat:
    """A worker as the driver sees it.

    Attributes:
        number: In the names of logs; its successor after a death has the same.
        actor: Ray's handle.
        question: What it was asked and has not answered; None while it idles or cannot be reached.
        host: Its machine; empty until it has arrived.
        running: Its task.
        ask_after: When it is asked again, on the monotonic clock, where it could not be reached.
    """

    number: int
    actor: Any
    question: Any
    host: str = ""
    running: _Running | None = None
    ask_after: float = 0.0


class RayEngine:
    """Workers of a Ray cluster, as many as have room; they end with this process."""

    def __init__(
        self,
        workers: Workers,
        *,
        logs: Path,
        uses_gpu: bool = False,
        note: Callable[[str], None] = lambda _text: None,
        address: str | None = None,
    ) -> None:
        """Prepare the workers; they start when the context is entered.

        Args:
            workers: What runs beside each other. What each asks of the cluster is its own while the run lasts.
            logs: Folder for what the workers print; on storage that every machine sees, as all of the run folder.
            uses_gpu: Whether the evaluations use a GPU where there is one.
            note: Told of workers without room and of machines that vanish.
            address: Of the cluster, see `experiments.engines.connection.connected`.
        """
        self._workers, self._uses_gpu, self._note, self._address = workers, uses_gpu, note, address
        logs.mkdir(parents=True, exist_ok=True)
        self._place = Place(folder=Path.cwd(), logs=logs, token=logs / f"{_SHARED}{uuid.uuid4().hex}")
        self._seats: list[_Seat] = []
        self._orphans: list[_Running] = []
        self._numbers = 0
        self._failed_starts = 0
        self._last_alive = 0.0

    def __enter__(self) -> Self:
        """Connect and start the workers; returns when one is ready, and the others as far as they have room.

        Raises:
            InputError: No cluster can be used, or no machine of it is as large as a worker.
            StorageError: A machine does not see the run folder.
            MachineError: No worker starts.
        """
        with ExitStack() as stack:
            self._ray = stack.enter_context(connected(self._address, self._workers))
            stack.callback(self._stop)
            available = int(self._ray.cluster_resources().get("GPU", 0))
            self._workers = self._workers.settled(uses_gpu=self._uses_gpu, available=available)
            room = room_for(self._workers, [one["Resources"] for one in self._ray.nodes() if one["Alive"]])
            if room < self._workers.count:
                self._note(f"{room} of {self._workers.count} workers have room; the others start when machines join")
            # That of a driver which was killed is left; nobody else runs here.
            for old in self._place.logs.glob(f"{_SHARED}*"):
                old.unlink(missing_ok=True)
            self._place.token.write_text(__version__, encoding="ascii")
            stack.callback(self._place.token.unlink, missing_ok=True)
            self._seats = [_Seat(number, *self._start(number)) for number in range(self._workers.count)]
            self._await_first(min(room, self._workers.count))
            self._held = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    @property
    def free(self) -> int:
        """Number of workers that are there and have no task, nor get one of a dead worker."""
        idle = sum(bool(seat.host) and seat.running is None for seat in self._seats)
        return max(0, idle - len(self._orphans))

    @property
    def busy(self) -> int:
        """Number of evaluations that run, or wait for a worker that takes them over."""
        return sum(seat.running is not None for seat in self._seats) + len(self._orphans)

    def submit(self, task: Task) -> None:
        """Start an evaluation; there must be a free worker."""
        self._numbers += 1
        seat = next(seat for seat in self._seats if seat.host and seat.running is None)
        self._hand(seat, _Running(self._numbers, task))

    def wait(self, interruption: Interruption) -> list[Event]:
        """The news of the running evaluations; see `Engine.wait`.

        Raises:
            MachineError: No worker is left, and no new one starts.
            StorageError: A machine that has joined does not see the run folder.
        """
        events = [event for seat in self._answered(interruption) for event in self._hear(seat)]
        self._place_orphans()
        self._ask_the_lost()
        return events

    def _hand(self, seat: _Seat, running: _Running) -> None:
        running.task = replace(running.task, attempt=begin_attempt(running.task.folder))
        seat.running = running
        self._ask(seat)

    def _ask(self, seat: _Seat) -> None:
        """For the news of its task, which it starts if it has not; without one, whether it is there."""
        if seat.running is None:
            seat.question = seat.actor.arrive.remote(self._place)
            return
        pace = max(_NEWS_SECONDS, len(self._seats) / _NEWS_RATE)
        seat.question = seat.actor.evaluate.remote(seat.running.number, seat.running.task, pace)

    def _answered(self, interruption: Interruption) -> list[_Seat]:
        """Whoever has answered; waits a moment for the first."""
        asked = {seat.question: seat for seat in self._seats if seat.question is not None}
        end = time.monotonic() + _TURN_SECONDS
        while not interruption.requested and time.monotonic() < end:
            if not asked:
                time.sleep(_LOOK_SECONDS)
                continue
            if self._ray.wait(list(asked), timeout=_LOOK_SECONDS)[0]:
                break
        ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0) if asked else ([], [])
        return [asked[question] for question in ready]

    def _hear(self, seat: _Seat) -> Sequence[Event]:
        """An answer, or why there is none."""
        question, seat.question = seat.question, None
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(question)
        except errors.ActorUnavailableError:
            # No death: what it was asked may run. Nobody else gets its folder until it is known to be dead.
            seat.ask_after = time.monotonic() + _LOST_SECONDS
            return []
        except errors.RayActorError as error:
            return self._bury(seat, str(error))
        except errors.RayTaskError as error:
            return self._fail(seat, str(error))
        self._last_alive = time.monotonic()
        if isinstance(answer, Arrival):
            self._welcome(seat, answer)
            return []
        events: list[Event] = answer
        if events and isinstance(events[-1], Ended):
            seat.running = None
        else:
            self._ask(seat)
        return events

    def _welcome(self, seat: _Seat, arrival: Arrival) -> None:
        """A worker has started; it can be used if it sees and is what the driver is."""
        if arrival.lacks is not None:
            raise StorageError(
                f"{arrival.lacks.absolute()} is not there on {arrival.host}: the run folder and the current folder "
                "must be on storage that every machine of the cluster sees under the same path"
            )
        if arrival.version != __version__:
            raise InputError(f"{arrival.host} has topformer-explorer {arrival.version}, and this machine {__version__}")
        seat.host, self._failed_starts = arrival.host, 0

    def _bury(self, seat: _Seat, cause: str) -> Sequence[Event]:
        """A worker is dead for certain: another one takes its seat, and its task is tried again."""
        running, host = seat.running, seat.host
        if not host:
            self._failed_starts += 1
            if self._failed_starts >= DEATHS:
                raise MachineError(f"the workers die when they start: {_last_line(cause)}")
        seat.actor, seat.question = self._start(seat.number)
        seat.host, seat.running = "", None
        if running is None:
            return []
        running.deaths += 1
        if running.deaths >= DEATHS:
            reason = f"its worker vanished {DEATHS} times, last from {host}: {_last_line(cause)}"
            return [Failed(running.task.key, reason, is_machines=True)]
        self._note(f"a worker on {host} is gone; its evaluation goes on elsewhere")
        self._orphans.append(running)
        return []

    def _fail(self, seat: _Seat, cause: str) -> Sequence[Event]:
        """A worker could not even begin, for instance because a module is not there."""
        running, seat.running = seat.running, None
        if running is None:
            raise MachineError(f"a worker cannot start: {_last_line(cause)}")
        return [Failed(running.task.key, f"the worker could not begin: {_last_line(cause)}", is_machines=True)]

    def _place_orphans(self) -> None:
        for seat in self._seats:
            if self._orphans and seat.host and seat.running is None:
                self._hand(seat, self._orphans.pop(0))
        if any(seat.host for seat in self._seats):
            return
        waited = time.monotonic() - self._last_alive
        if waited > _START_SECONDS:
            raise MachineError(f"no worker is left, and none has started for {waited:.0f} s; the same command goes on")

    def _ask_the_lost(self) -> None:
        for seat in self._seats:
            if seat.ask_after and seat.ask_after < time.monotonic():
                seat.ask_after = 0.0
                self._ask(seat)

    def _start(self, number: int) -> tuple[Any, Any]:
        """A new worker, and the question whether it is there."""
        actor = self._ray.remote(
            num_cpus=self._workers.cpus,
            num_gpus=self._workers.gpus or 0.0,
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups=GROUPS,
        )(Slot).remote(number, self._workers.cpus)
        return actor, actor.arrive.remote(self._place)

    def _await_first(self, room: int) -> None:
        began = self._last_alive = time.monotonic()
        nobody = Interruption()
        while (arrived := sum(bool(seat.host) for seat in self._seats)) < room:
            waited = time.monotonic() - began
            if waited > _START_SECONDS and not arrived:
                raise MachineError(f"no worker has started for {waited:.0f} s; ray status shows what the cluster does")
            if waited > _FULL_SECONDS and arrived:
                self._note(f"{arrived} of {self._workers.count} workers are there; the others start when they can")
                return
            for seat in self._answered(nobody):
                self._hear(seat)
            self._ask_the_lost()

    def _stop(self) -> None:
        """End every worker; what computes ends before its driver forgets it."""
        busy = [seat.actor for seat in self._seats if seat.running is not None]
        stopping = [actor.stop.options(concurrency_group=ASIDE).remote() for actor in busy]
        if stopping:
            self._ray.wait(stopping, num_returns=len(stopping), timeout=_STOP_SECONDS)
        for seat in self._seats:
            self._ray.kill(seat.actor)


def _last_line(cause: str) -> str:
    """Ray's explanations are long; the last line names the error."""
    lines = [line.strip() for line in cause.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason given"

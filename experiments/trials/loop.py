"""The loop that every trial goes through: take it from its source, evaluate it, record it, tell the source."""

import time
from collections.abc import Collection
from dataclasses import dataclass

from analysis.records.record import Key, Record, State
from experiments.engines.engine import Done, Engine, Event, Failed, Fatal, Interruption, Iterations, Task
from experiments.evaluators.base import Accuracy
from experiments.trials.callback import TrialCallback
from experiments.trials.ledger import Ledger
from experiments.trials.trial import Trial, TrialSource
from topformer.errors import EvaluationError

FAILURES = 5
"""Failed evaluations in a row, without any success in this process, that end a run."""
_BATCH = 100
"""Records of pruned trials that may wait to be written together: the disk takes a hundred as fast as one."""


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial under evaluation, and when that began on the monotonic clock."""

    trial: Trial
    started: float


class Loop:
    """One run: trials of one source, recorded in one place."""

    def __init__(self, source: TrialSource, ledger: Ledger, callback: TrialCallback) -> None:
        """Connect them; nothing happens before `run`."""
        self._source, self._ledger, self._callback = source, ledger, callback
        self._running: dict[Key, RunningTrial] = {}
        self._unsaved: list[Record] = []
        self._failures = self._successes = 0

    def run(self, engine: Engine, interruption: Interruption) -> None:
        """Until the source has no trial left, or the user wants to stop.

        Raises:
            EvaluationError: The first evaluations all failed.
            ExplorerError: The disk, the storage or the data set fails.
        """
        self._callback.status(self._source.standing)
        try:
            while not interruption.requested:
                if self._ledger.look():
                    self._callback.status(self._source.standing)
                self._fill(engine, interruption)
                self._save()
                if not engine.busy and not self._ledger.waits:
                    return
                for event in engine.wait(interruption):
                    self._handle(event)
            # What has ended meanwhile need not be evaluated again.
            for event in engine.wait(interruption) if engine.busy else ():
                self._handle(event)
        finally:
            self._save()

    def _fill(self, engine: Engine, interruption: Interruption) -> None:
        """Give the engine as much as it takes; on the way, note what is pruned."""
        while engine.free and not interruption.requested and (trial := self._source.next()) is not None:
            if not trial.pruned:
                self._launch(trial, engine)
                continue
            self._unsaved.append(trial.record(State.PRUNED, seconds=0.0))
            if len(self._unsaved) >= _BATCH:
                self._save()

    def _launch(self, trial: Trial, engine: Engine) -> None:
        self._running[trial.key] = RunningTrial(trial, time.monotonic())
        folder = self._ledger.begin(trial)
        engine.submit(Task(trial.key, trial.evaluator, trial.candidate, folder, trial.attempt))
        self._callback.iterations(trial, 0, trial.fidelity.budget)

    def _handle(self, event: Event) -> None:
        match event:
            case Iterations(key, done, total):
                self._callback.iterations(self._running[key].trial, done, total)
            case Done(key, accuracy):
                self._successes += 1
                self._finish(key, State.COMPLETE, accuracy=accuracy)
            case Failed(key, reason, is_machines):
                # What another driver has taken over is not counted.
                self._failures += self._finish(key, State.FAILED, reason=reason, is_machines=is_machines)
                if self._failures >= FAILURES and not self._successes:
                    raise EvaluationError(
                        f"the first {self._failures} evaluations failed, the last one because: {reason}"
                    )
            case Fatal(_, error):
                raise error

    def _finish(
        self, key: Key, state: State, *, accuracy: Accuracy | None = None, reason: str = "", is_machines: bool = False
    ) -> bool:
        """Record an evaluation that has ended; whether that counts."""
        running = self._running.pop(key)
        seconds = time.monotonic() - running.started
        record = running.trial.record(state, seconds=seconds, accuracy=accuracy, reason=reason, is_machines=is_machines)
        self._unsaved.append(record)
        counts = key in self._save()
        if counts:
            self._callback.recorded(record)
        else:
            self._callback.dropped(running.trial)
        return counts

    def _save(self) -> Collection[Key]:
        """Make the records durable, and only then tell the source: it never knows more than the disk.

        Gives those that count.
        """
        if not self._unsaved:
            return ()
        records, self._unsaved = self._unsaved, []
        kept = self._ledger.append(records)
        for record in records:
            if record.key in kept:
                self._source.tell(record)
        self._callback.status(self._source.standing)
        return kept

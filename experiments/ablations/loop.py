"""The loop of an ablation: hand out runs, record what becomes of each."""

import sys
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from analysis.records.record import Metric, Record, State
from experiments.ablations.plan import Base, Identity, Job
from experiments.ablations.progress import Listener
from experiments.engines.local import Done, Engine, Event, Failed, Hopeless, Interruption, Task, Updates
from experiments.evaluators.base import Accuracy
from experiments.trials.run_folder import RunFolder
from search_space.cost.closed_form import cost
from topformer import __version__
from topformer.codec import to_json
from topformer.errors import EvaluationError

FAILURES = 5
"""Failed runs in a row, without any success, that end an ablation."""


class Loop:
    """Everything that one ablation holds while it runs."""

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        base: Base,
        budget: int,
        identity: Identity,
        folder: RunFolder,
        listener: Listener,
        recorded: int,
    ) -> None:
        """Prepare the runs.

        Args:
            jobs: In order.
            base: What the rows' edits were applied to.
            budget: Updates of each.
            identity: Of the evaluator.
            folder: Where records and checkpoints go.
            listener: Who is told.
            recorded: Number of records that the folder has.
        """
        self._jobs = deque(jobs)
        self._base, self._budget, self._identity = base, budget, identity
        self._folder, self._listener, self._number = folder, listener, recorded
        self._flights: dict[str, tuple[Job, float]] = {}
        self._failures = self._successes = 0

    def run(self, engine: Engine, interruption: Interruption) -> None:
        """Until every run has ended, or the user wants to stop.

        Raises:
            EvaluationError: The first runs all failed.
            ExplorerError: The disk or the data set fails.
        """
        self._listener.begin(len(self._jobs), self._budget)
        while not interruption.requested:
            while engine.free and self._jobs:
                self._launch(self._jobs.popleft(), engine)
            if not engine.busy:
                return
            for event in engine.wait(interruption):
                self._handle(event)

    def _launch(self, job: Job, engine: Engine) -> None:
        key = f"{job.candidate.fingerprint} seed {job.seed}"
        self._flights[key] = (job, time.monotonic())
        engine.submit(Task(key, job.candidate, self._budget, job.seed, self._path(job)))
        self._listener.updates(key, 0, self._budget)

    def _path(self, job: Job) -> Path:
        """One folder for each evaluator, design, budget and seed, so that an interrupted run is found again."""
        name = f"{self._identity.study}-{job.candidate.fingerprint}-{self._budget}-seed{job.seed}"
        return self._folder.evaluation(name)

    def _handle(self, event: Event) -> None:
        match event:
            case Updates(key, done, total):
                self._listener.updates(key, done, total)
            case Done(key, accuracy):
                self._successes += 1
                self._land(key, State.COMPLETE, accuracy=accuracy)
            case Failed(key, reason):
                self._failures += 1
                self._land(key, State.FAILED, reason=reason)
                if self._failures >= FAILURES and not self._successes:
                    raise EvaluationError(f"the first {self._failures} runs failed, the last one because: {reason}")
            case Hopeless(_, error):
                raise error

    def _land(self, key: str, state: State, *, accuracy: Accuracy | None = None, reason: str = "") -> None:
        job, started = self._flights.pop(key)
        counted = cost(job.candidate)
        exact = {"parameters": counted.parameters, "macs": counted.macs}
        record = Record(
            study=self._identity.study,
            trial=self._number,
            state=state,
            fingerprint=job.candidate.fingerprint,
            design=to_json(job.candidate.design),
            height=job.candidate.height,
            width=job.candidate.width,
            labels=dict(job.labels),
            metrics={
                **(accuracy.metrics() if accuracy else {}),
                **{name: Metric(value=value, source="exact") for name, value in exact.items()},
            },
            details={
                "ablation": {"table": job.table, "row": job.row, "base": self._base.name},
                "evaluator": dict(self._identity.settings),
                "metric": self._identity.metric,
                **(accuracy.details() if accuracy else {}),
            },
            reason=reason,
            origin="ablation",
            seed=job.seed,
            budget=self._budget,
            # What a run took before an interruption counts too.
            seconds=round(time.monotonic() - started if accuracy is None else accuracy.seconds, 3),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=_versions(),
        )
        self._folder.records.append(record)
        self._number += 1
        self._listener.recorded(key, record)


def _versions() -> dict[str, str]:
    names = ("torch", "numpy")
    return {
        "topformer-explorer": __version__,
        "python": sys.version.split()[0],
        **{name: version(name) for name in names},
    }

"""The loop of a sweep: ask, decide by cost, evaluate, record, tell."""

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from typing import Any, Protocol

from analysis.records.record import Record, State
from analysis.results.pareto import Objective
from experiments.engines.local import Done, Engine, Event, Failed, Hopeless, Interruption, Task, Updates
from experiments.evaluators.base import Accuracy
from experiments.search.definition import StudyDefinition
from experiments.search.screening import Assessment, Screen
from experiments.search.searcher import Mirror, Observation, Proposal, Searcher
from experiments.search.status import Results, Status, values
from experiments.trials.run_folder import Pending, RunFolder
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer import __version__
from topformer.codec import to_json
from topformer.errors import EvaluationError, StudyError

DUPLICATES = 20
"""Known designs in a row after which an unknown one is drawn without the sampler."""
DRAWN = 10_000
"""Designs that are drawn at a time to find unknown ones; about a second."""
FAILURES = 5
"""Failed evaluations in a row, without any success, that end a sweep."""
_BATCH = 100


class Listener(Protocol):
    """Who is told how a sweep goes."""

    def note(self, text: str) -> None:
        """Something happened that the user should know."""
        ...

    def status(self, status: Status) -> None:
        """The counts have changed."""
        ...

    def recorded(self, record: Record) -> None:
        """An evaluation has ended."""
        ...

    def updates(self, fingerprint: str, done: int, total: int) -> None:
        """An evaluation has come this far."""
        ...


@dataclass(frozen=True, slots=True)
class _Flight:
    """A design that is accepted for evaluation."""

    proposal: Proposal
    assessment: Assessment
    pending: Pending
    started: float


class Loop:
    """Everything that one sweep holds while it runs."""

    def __init__(
        self,
        definition: StudyDefinition,
        *,
        identity: str,
        objectives: Sequence[Objective],
        space: Space,
        screen: Screen,
        folder: RunFolder,
        searcher: Searcher,
        mirror: Mirror,
        results: Results,
        listener: Listener,
    ) -> None:
        self._definition, self._identity, self._objectives = definition, identity, objectives
        self._space, self._screen, self._folder = space, screen, folder
        self._searcher, self._mirror = searcher, mirror
        self._results, self._listener = results, listener
        self._forced: deque[Pending] = deque()
        self._flights: dict[str, _Flight] = {}
        self._unsaved: list[Record] = []
        self._duplicates = 0
        self._failures = 0
        self._leftover: Iterator[Mapping[str, str]] | None = None
        self._is_drawing = definition.sampler == "grid"
        self._next_trial = len(results)
        self._versions = _versions()
        self.exhausted = False
        """Whether nothing is left to ask for, although fewer designs are evaluated than the study wants."""

    def prepare(self, earlier: Sequence[Record], anchors: Iterable[Mapping[str, str]]) -> None:
        """Take up an earlier process's history and unfinished evaluations, then the anchors.

        Raises:
            StorageError: The storage or the disk does not answer.
        """
        history = [self._observation(record) for record in earlier]
        self._searcher.restore(history)
        self._mirror.reconcile(history)
        begun = [pending for fingerprint, pending in self._folder.begun().items() if fingerprint not in self._results]
        if begun:
            self._listener.note(f"{len(begun)} unfinished evaluations continue from their checkpoints")
        numbers = [record.trial for record in earlier] + [pending.trial for pending in begun]
        self._next_trial = max(numbers, default=-1) + 1
        self._forced.extend(begun)
        self._forced.extend(Pending(trial=-1, labels=labels, origin="anchor") for labels in anchors)

    def run(self, engine: Engine, interruption: Interruption) -> None:
        """Until enough designs are evaluated, nothing is left to ask, or the user wants to stop.

        Raises:
            EvaluationError: The first evaluations all failed.
            ExplorerError: The disk, the storage or the data set fails.
        """
        try:
            while not interruption.requested:
                while engine.free and (flight := self._next(interruption)) is not None:
                    self._launch(flight, engine)
                self._save()
                if not engine.busy:
                    return
                for event in engine.wait(interruption):
                    self._handle(event)
        finally:
            self._save()

    def _next(self, interruption: Interruption) -> _Flight | None:
        """The next design to evaluate; on the way, designs are refused by cost."""
        while not interruption.requested and self._is_wanted():
            pending = self._pending()
            if pending is None:
                return None
            proposal = self._searcher.ask(self._space, pending.labels or None)
            fingerprint = proposal.candidate.fingerprint
            if fingerprint in self._results or fingerprint in self._flights:
                self._searcher.forget(proposal)
                self._duplicates += 1
                continue
            self._duplicates = 0
            if pending.trial < 0:
                pending = Pending(trial=self._next_trial, labels=proposal.labels, origin=pending.origin)
                self._next_trial += 1
            assessment = self._screen.assess(proposal.candidate)
            self._searcher.constrain(proposal, assessment.constraints)
            flight = _Flight(proposal, assessment, pending, time.monotonic())
            if not assessment.reason:
                return flight
            self._finish(flight, self._record(flight, State.PRUNED, reason=assessment.reason))
        return None

    def _is_wanted(self) -> bool:
        """Whether another design should be asked for."""
        if self.exhausted or self._results.complete + len(self._flights) >= self._definition.trials:
            return False
        if len(self._results) + len(self._flights) >= self._definition.asked:
            self._give_up(f"asked for {self._definition.asked:,} designs, as many as the study allows")
        return not self.exhausted

    def _give_up(self, why: str) -> None:
        self.exhausted = True
        self._listener.note(why)

    def _pending(self) -> Pending | None:
        """What to ask for: a design that is due, one that is left of the space, or the sampler's choice."""
        if self._forced:
            return self._forced.popleft()
        if not self._is_drawing and self._duplicates < DUPLICATES:
            return Pending(trial=-1, labels={}, origin="sampler")
        if not self._is_drawing:
            self._draw()
        self._leftover = self._leftover or self._unknown()
        labels = next(self._leftover, None)
        if labels is None:
            self._give_up(f"no design of the space is left to ask for, after {len(self._results):,}")
            return None
        return Pending(trial=-1, labels=labels, origin="sampler")

    def _draw(self) -> None:
        """Stop asking the sampler: for one design, or for good where half of the space is known."""
        self._is_drawing = self._space.count() <= 2 * len(self._results)
        if self._is_drawing or self._leftover is None:
            what = "what is left of the space is" if self._is_drawing else "in such a case one design is"
            self._listener.note(f"the sampler proposed {DUPLICATES} known designs in a row: {what} drawn at random")

    def _unknown(self) -> Iterator[Mapping[str, str]]:
        """Labels of the designs without a record, in seeded random order; a large space is drawn in portions."""
        total = self._space.count()
        for turn in count():
            for candidate in self._space.sample(self._definition.seed + turn, min(total, DRAWN)):
                if candidate.fingerprint not in self._results and candidate.fingerprint not in self._flights:
                    yield self._labels(candidate)
            if total <= DRAWN or len(self._results) + len(self._flights) >= total:
                return

    def _labels(self, candidate: Candidate) -> Mapping[str, str]:
        labels = self._space.labels_of(candidate)
        if labels is None:
            raise StudyError(f"space {self._definition.space.name} cannot express its own {candidate.fingerprint}")
        return labels

    def _launch(self, flight: _Flight, engine: Engine) -> None:
        fingerprint, definition = flight.proposal.candidate.fingerprint, self._definition
        self._flights[fingerprint] = flight
        folder = self._folder.begin(fingerprint, flight.pending)
        budget = definition.evaluator.budget
        engine.submit(Task(fingerprint, flight.proposal.candidate, budget, definition.seed, folder))
        self._listener.updates(fingerprint, 0, budget)

    def _handle(self, event: Event) -> None:
        match event:
            case Updates(key, done, total):
                self._listener.updates(key, done, total)
            case Done(key, accuracy):
                self._failures = 0
                self._land(key, State.COMPLETE, accuracy=accuracy)
            case Failed(key, reason):
                self._land(key, State.FAILED, reason=reason)
                self._failures += 1
                if self._failures >= FAILURES and not self._results.complete:
                    raise EvaluationError(
                        f"the first {self._failures} evaluations failed, the last one because: {reason}"
                    )
            case Hopeless(_, error):
                raise error

    def _land(self, key: str, state: State, *, accuracy: Accuracy | None = None, reason: str = "") -> None:
        flight = self._flights.pop(key)
        record = self._record(flight, state, accuracy=accuracy, reason=reason)
        self._finish(flight, record)
        self._save()
        self._listener.recorded(record)

    def _finish(self, flight: _Flight, record: Record) -> None:
        """Keep a record for the next `_save`, and let the sampler learn from it."""
        self._unsaved.append(record)
        self._results.add([record])
        if record.state is not State.PRUNED:
            self._save()
        self._searcher.tell(flight.proposal, self._observation(record))
        if len(self._unsaved) >= _BATCH:
            self._save()

    def _save(self) -> None:
        """Make the records durable, first in the truth, then in its copy."""
        if not self._unsaved:
            return
        records, self._unsaved = self._unsaved, []
        self._folder.records.append_many(records)
        self._mirror.add([self._observation(record) for record in records])
        self._listener.status(self._results.status)

    def _record(self, flight: _Flight, state: State, *, accuracy: Accuracy | None = None, reason: str = "") -> Record:
        candidate, assessment = flight.proposal.candidate, flight.assessment
        details: dict[str, Any] = {"constraints": dict(assessment.constraints)}
        if state is not State.PRUNED:
            details |= self._screen.explain(candidate)
        return Record(
            study=self._identity,
            trial=flight.pending.trial,
            state=state,
            fingerprint=candidate.fingerprint,
            design=to_json(candidate.design),
            height=candidate.height,
            width=candidate.width,
            labels=dict(flight.proposal.labels),
            metrics={**(accuracy.metrics() if accuracy else {}), **assessment.metrics},
            details=details | (accuracy.details() if accuracy else {}),
            reason=reason,
            origin=flight.pending.origin,
            seed=self._definition.seed,
            budget=self._definition.evaluator.budget,
            seconds=round(time.monotonic() - flight.started, 3),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=self._versions,
        )

    def _observation(self, record: Record) -> Observation:
        return Observation(
            trial=record.trial,
            state=record.state,
            labels=record.labels,
            values=values(record, self._objectives) if record.state is State.COMPLETE else (),
            constraints=record.details.get("constraints", {}),
        )


def _versions() -> dict[str, str]:
    names = ("torch", "optuna", "numpy")
    return {
        "topformer-explorer": __version__,
        "python": sys.version.split()[0],
        **{name: version(name) for name in names},
    }

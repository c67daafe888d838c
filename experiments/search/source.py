"""The trials of a sweep: ask the sampler, decide by cost, and let sampler and storage learn what became of each."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

from analysis.records.record import Key, Record, State
from experiments.search.replica import Replica
from experiments.search.retries import retries
from experiments.search.samplers import EXHAUSTIVE, WHOLE
from experiments.search.screening import Assessment
from experiments.search.searcher import Observation, Proposal, Searcher
from experiments.search.status import Results, values
from experiments.search.storage import StorageReplica
from experiments.search.study import Study
from experiments.trials.run_folder import RunFolder
from experiments.trials.trial import EnqueuedTrial, Standing, Trial
from search_space.candidate import Candidate
from topformer.errors import StudyError

DUPLICATES = 20
"""Known designs in a row after which an unknown one is drawn without the sampler."""
REQUEST, REQUEST_SECONDS = "request", 5.0
"""Origin of a trial that somebody enqueued in the storage, and how often that is looked at."""
DRAWN = 10_000
"""Designs that are drawn at a time to find unknown ones; about a second."""
_ANOTHER = 7_919
"""Between the seeds of two drivers."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A trial that was handed out and has no record yet."""

    proposal: Proposal
    trial: Trial


class SamplerSource:
    """A `TrialSource` of designs that a sampler chooses, after those that are due: begun ones, then anchors.

    Attributes:
        exhausted: Whether nothing is left to ask for, although fewer designs are evaluated than the study wants.
        driver_number: How many drivers of the study there were before this one.
    """

    driver_number = 0

    def __init__(
        self,
        study: Study,
        folder: RunFolder,
        results: Results,
        *,
        earlier: Sequence[Record],
        note: Callable[[str], None],
        retry_failed: bool = False,
    ) -> None:
        """Take up the history and the unfinished evaluations of a run folder.

        Args:
            study: What is searched.
            folder: Where it runs.
            results: Empty; the source keeps it up to date.
            earlier: What the folder's records say.
            note: Told what the user should know.
            retry_failed: Whether designs that failed of themselves are tried again as well.

        Raises:
            StorageError: The storage or the disk does not answer.
            StudyError: The URL of the storage is none.
        """
        self._study, self._results, self._note = study, results, note
        self.exhausted = False
        self._open: dict[Key, _Open] = {}
        self._duplicates = 0
        self._look_at = 0.0
        self._judged: dict[str, int] = {}
        self._leftover: Iterator[Mapping[str, str]] | None = None
        self._is_drawing = study.definition.sampler in (EXHAUSTIVE, WHOLE)
        again, kept = retries(earlier, every=retry_failed, note=note)
        results.add(kept)
        self._next_number = max((record.trial for record in earlier), default=-1) + 1
        self._connect(folder, [self._observation(record) for record in earlier])
        self._enqueue(folder, again)

    def _connect(self, folder: RunFolder, history: list[Observation]) -> None:
        definition = self._study.definition
        self._replica = self._copied(folder, history)
        self._searcher = Searcher(
            definition.sampler,
            directions=self._directions,
            choices=self._choices,
            # A continued sweep must not repeat the proposals of its start, nor those of another driver.
            seed=definition.seed + 1_000_003 * len(history) + _ANOTHER * self.driver_number,
            trials=definition.trials,
            designs=partial(self._study.designs, folder.path),
            objectives=definition.objectives,
        )
        self._searcher.restore(history)

    def _copied(self, folder: RunFolder, history: list[Observation]) -> Replica:
        """The copy for dashboards, with what is known."""
        definition = self._study.definition
        replica = StorageReplica(
            definition.storage,
            folder.path,
            name=f"{definition.name}-{folder.run}",
            directions=self._directions,
            choices=self._choices,
        )
        replica.reconcile(history)
        return replica

    @property
    def _directions(self) -> list[str]:
        return [goal.direction for goal in self._study.objectives]

    @property
    def _choices(self) -> dict[str, tuple[str, ...]]:
        return {axis.name: axis.labels for axis in self._study.space.axes}

    def _enqueue(self, folder: RunFolder, again: Sequence[Record]) -> None:
        """What is due before the sampler is asked."""
        candidate = self._study.space.candidate
        failed = {one.trial: EnqueuedTrial(labels=one.labels, origin=one.origin, number=one.trial) for one in again}
        begun = [
            trial
            for trial in folder.begun()
            if trial.number not in failed and not self._is_known(self._key(candidate(trial.labels)))
        ]
        if begun:
            self._note(f"{len(begun)} unfinished evaluations continue from their checkpoints")
        anchors = [EnqueuedTrial(labels=labels, origin="anchor") for labels in self._study.anchors()]
        requests = [
            EnqueuedTrial(labels=one.labels, origin=REQUEST, number=one.trial, request=one.number)
            for one in self._replica.unfinished()
        ]
        taken = {one.number for one in requests if one.number is not None}
        begun = [trial for trial in begun if trial.number not in taken]
        self._enqueued = deque([*failed.values(), *begun, *requests, *anchors])
        self._again = set(failed)
        self._next_number = max([self._next_number, *(trial.number + 1 for trial in begun if trial.number is not None)])

    @property
    def standing(self) -> Standing:
        """How far it is."""
        # Where nothing is trained, evaluations are counted.
        budget, status = self._study.fidelity.budget or 1, self._results.status
        return Standing(spent=status.complete * budget, total=status.trials * budget, text=str(status))

    def next(self) -> Trial | None:
        """The next design that is not known, evaluated or pruned."""
        while self._is_wanted():
            self._take_requests()
            enqueued = self._enqueued.popleft() if self._enqueued else None
            labels = enqueued.labels if enqueued is not None else self._chosen()
            if self.exhausted:
                return None
            proposal = self._searcher.ask(self._study.space, labels)
            if self._is_known(self._key(proposal.candidate)):
                self._refuse(proposal, enqueued)
                continue
            trial = self._accept(proposal, enqueued)
            if trial is not None:
                self._duplicates = 0
                return trial
        return None

    def tell(self, record: Record) -> None:
        """What became of a trial: into the counts, then to the sampler, then into the storage."""
        observation = self._observation(record)
        proposal = self._open.pop(record.key).proposal
        self._results.add([record])
        if record.state is not State.PRUNED:
            self._searcher.tell(proposal, observation)
        self._replica.add([observation])

    def revise(self, values: Mapping[int, tuple[float, ...]]) -> None:
        """Let the sampler learn other numbers of complete trials, by their number; the storage keeps what it has."""
        self._searcher.revise(values)

    def _take_requests(self) -> None:
        """Enqueue what others enqueued in the storage; looked at every few seconds."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + REQUEST_SECONDS
        found = self._replica.requests(self._study.space, self._note)
        if found:
            self._note(f"{len(found)} enqueued in the storage: tried before what the sampler proposes")
        self._enqueued.extend(EnqueuedTrial(labels=one.labels, origin=REQUEST, request=one.number) for one in found)

    def _is_wanted(self) -> bool:
        """Whether another design should be asked for."""
        if self._enqueued and self._enqueued[0].number in self._again:
            # Another design may have taken its place: it is tried all the same.
            return True
        if self.exhausted or self._results.complete + self._running >= self._study.definition.trials:
            return False
        if self._asked >= self._study.definition.asked:
            self._give_up(f"asked for {self._study.definition.asked:,} designs, as many as the study allows")
        return not self.exhausted

    @property
    def _running(self) -> int:
        """Evaluations that have begun and not ended."""
        return sum(not opened.trial.pruned for opened in self._open.values())

    @property
    def _asked(self) -> int:
        """Designs that were handed out, by this process or an earlier one."""
        return len(self._results) + len(self._open)

    def _give_up(self, why: str) -> None:
        self.exhausted = True
        self._note(why)

    def _key(self, candidate: Candidate) -> Key:
        return Key(candidate.fingerprint, self._study.fidelity, self._study.definition.seed)

    def _is_known(self, key: Key) -> bool:
        return key in self._results or key in self._open

    def _refuse(self, proposal: Proposal, enqueued: EnqueuedTrial | None) -> None:
        """The design of a proposal is known already."""
        self._searcher.forget(proposal)
        if enqueued is not None and enqueued.request is not None:
            self._note(f"{proposal.candidate.fingerprint} was enqueued in the storage, but is known already")
            self._replica.decline(enqueued.request)
        self._duplicates += 1

    def _accept(self, proposal: Proposal, enqueued: EnqueuedTrial | None) -> Trial | None:
        """The trial of a proposal, None where another driver has it; of what cost prunes the sampler learns nothing."""
        assessment = self._study.screen.assess(proposal.candidate)
        asked = enqueued or EnqueuedTrial(labels=proposal.labels, origin="sampler")
        trial = self._claimed(self._trial(proposal, assessment, asked))
        if trial is None:
            self._refuse(proposal, enqueued)
            return None
        self._next_number = max(self._next_number, trial.number + 1)
        if enqueued is not None and enqueued.request is not None:
            self._replica.accept(enqueued.request, trial.number)
        self._open[trial.key] = _Open(proposal, trial)
        if trial.pruned:
            self._searcher.forget(proposal)
        return trial

    def _claimed(self, trial: Trial) -> Trial | None:
        """The trial as it is handed out; None where another driver has it."""
        return trial

    def _trial(self, proposal: Proposal, assessment: Assessment, asked: EnqueuedTrial) -> Trial:
        explained = {} if assessment.reason else self._study.screen.explain(proposal.candidate)
        return Trial(
            study=self._study.identity,
            number=self._next_number if asked.number is None else asked.number,
            candidate=proposal.candidate,
            evaluator=self._study.evaluator,
            fidelity=self._study.fidelity,
            seed=self._study.definition.seed,
            origin=asked.origin,
            labels=proposal.labels,
            metrics=assessment.metrics,
            details={"constraints": dict(assessment.constraints), **explained, **self._judged},
            pruned=assessment.reason,
        )

    def _chosen(self) -> Mapping[str, str] | None:
        """Labels of a design that is left of the space; None for the sampler's choice, and where none is left."""
        if not self._is_drawing and self._duplicates < DUPLICATES:
            return None
        if not self._is_drawing:
            self._draw()
        self._leftover = self._leftover or self._unknown()
        labels = next(self._leftover, None)
        if labels is None:
            self._give_up(f"no design of the space is left to ask for, after {self._asked:,}")
        return labels

    def _draw(self) -> None:
        """Stop asking the sampler: for one design, or for good where half of the space is known."""
        self._is_drawing = self._study.space.count() <= 2 * self._asked
        if self._is_drawing or self._leftover is None:
            what = "what is left of the space is" if self._is_drawing else "in such a case one design is"
            self._note(f"the sampler proposed {DUPLICATES} known designs in a row: {what} drawn at random")

    def _unknown(self) -> Iterator[Mapping[str, str]]:
        """Labels of the designs without a record, in seeded random order; a large space is drawn in portions.

        Where all are judged at once, those on the front come first, and each record says how many were judged.
        """
        if self._study.definition.sampler == WHOLE:
            found = self._study.judged()
            self._note(str(found))
            self._judged = {"judged": len(found.order)}
            yield from found.labels()
            return
        space, seed = self._study.space, self._study.definition.seed
        total = space.count()
        for turn in count():
            for candidate in space.sample(seed + turn + _ANOTHER * self.driver_number, min(total, DRAWN)):
                if not self._is_known(self._key(candidate)):
                    yield self._labels(candidate)
            if total <= DRAWN or self._asked >= total:
                return

    def _labels(self, candidate: Candidate) -> Mapping[str, str]:
        labels = self._study.space.labels_of(candidate)
        if labels is None:
            raise StudyError(f"space {self._study.space.name} cannot express its own {candidate.fingerprint}")
        return labels

    def _observation(self, record: Record) -> Observation:
        complete = record.state is State.COMPLETE
        return Observation(
            trial=record.trial,
            state=record.state,
            labels=record.labels,
            values=values(record, self._study.objectives) if complete else (),
            constraints=record.details.get("constraints", {}),
        )

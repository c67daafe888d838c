"""The trials of a ladder: designs that a sampler chooses on the lowest rung, and those that go on from rung to rung."""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from analysis.records.record import Key, Record, State
from experiments.search.halving.climb import Climb, Point
from experiments.search.halving.ladder import Ladder
from experiments.search.halving.trusted import trusted
from experiments.search.retries import retries
from experiments.search.source import SamplerSource
from experiments.search.status import Results, values
from experiments.trials.run_folder import RunFolder
from experiments.trials.trial import Standing, Trial
from search_space.candidate import Candidate


class LadderSource:
    """A `TrialSource` of a study with rungs.

    What is below the top is recorded like everything else, with its own fidelity. The sampler proposes for the lowest
    rung and learns the number of the highest rung that a design has reached, see `trusted`.

    Attributes:
        exhausted: Whether the sampler had nothing left to propose.
    """

    def __init__(
        self,
        ladder: Ladder,
        folder: RunFolder,
        results: Results,
        *,
        earlier: Sequence[Record],
        note: Callable[[str], None],
        retry_failed: bool = False,
    ) -> None:
        """Take up the history and the unfinished evaluations of a run folder.

        Args:
            ladder: The rungs.
            folder: Where it runs.
            results: Those of the last rung, empty; the source keeps them up to date.
            earlier: What the folder's records say, of all rungs.
            note: Told what the user should know.
            retry_failed: Whether designs that failed of themselves are tried again as well.

        Raises:
            StorageError: The storage or the disk does not answer.
            StudyError: The URL of the storage is none.
        """
        self._ladder, self._results, self._folder = ladder, results, folder
        self._rung_of = {study.fidelity: number for number, study in enumerate(ladder.rungs)}
        definition = ladder.definition
        base = [ladder.top.space.candidate(labels) for labels in ladder.top.anchors()]
        favoured = frozenset(one.fingerprint for one in base)
        self._climb = Climb(definition.wanted, rounds=definition.rounds, favoured=favoured)
        self._trials: dict[str, Trial] = {}
        self._due: deque[Trial] = deque()
        self._failed = 0
        self._spent = 0
        lowest = [one for one in earlier if self._rung_of.get(one.fidelity) == 0]
        below = Results(ladder.rungs[0].objectives, {}, definition.trials)
        self._sampler = SamplerSource(
            ladder.rungs[0], folder, below, earlier=lowest, note=note, retry_failed=retry_failed
        )
        above = [one for one in earlier if self._rung_of.get(one.fidelity, 0) > 0]
        again, kept = retries(above, every=retry_failed, note=note)
        self._restore([*lowest, *kept], again)

    @property
    def exhausted(self) -> bool:
        """Whether nothing was left to ask for."""
        return self._sampler.exhausted

    @property
    def standing(self) -> Standing:
        """How far it is, in iterations, and designs on each rung."""
        ladder, definition = self._ladder, self._ladder.definition
        counts = [len(self._climb.points(number)) for number in range(len(ladder.rungs))]
        seeds = [1] * (len(counts) - 1) + [definition.rung[-1].seeds]
        total = sum(
            wanted * many * ladder.iterations(number)
            for number, (wanted, many) in enumerate(zip(definition.wanted, seeds, strict=True))
        )
        shown = ", then ".join(f"{count}/{wanted}" for count, wanted in zip(counts, definition.wanted, strict=True))
        failed = f", {self._failed} failed" if self._failed else ""
        return Standing(
            spent=min(self._spent, total), total=total, text=f"{shown} designs{failed}; {self._results.status}"
        )

    def next(self) -> Trial | None:
        """What a free worker does: the other seeds of who is at the top, else what the climb says."""
        while True:
            if self._due:
                return self._due.popleft()
            move = self._climb.next()
            if move is None:
                return None
            if move.design is not None:
                self._go_on(move.rung, self._trials[move.design])
                continue
            trial = self._sampler.next()
            if trial is None:
                # Nobody is left to propose: those that are there climb on.
                self._climb.close()
                continue
            if not trial.pruned:
                self._begin(trial)
            return trial

    def tell(self, record: Record) -> None:
        """What became of a trial: into the counts, then to the sampler."""
        number = self._rung_of[record.fidelity]
        if number == 0:
            self._sampler.tell(record)
        if record.state is State.PRUNED:
            self._results.add([record])
            return
        if record.state is State.FAILED:
            # What fails with one seed is not tried with the others: another design takes its place.
            self._due = deque(one for one in self._due if one.candidate.fingerprint != record.fingerprint)
        self._take(number, record)
        if number:
            self._revise()

    def _restore(self, records: Sequence[Record], again: Sequence[Record]) -> None:
        """The state that the records tell, and what was begun without a record yet."""
        space = self._ladder.top.space
        for record in records:
            number = self._rung_of[record.fidelity]
            if record.state is State.PRUNED:
                self._results.add([record])
                continue
            if number == 0:
                self._begin(self._lowest(record, space.candidate(record.labels)))
            elif record.fingerprint in self._trials:
                self._climb.begin(number, record.fingerprint)
            self._take(number, record)
        if any(self._climb.points(number) for number in range(1, len(self._ladder.rungs))):
            self._revise()
        known = {record.key for record in records}
        broken = {(record.fidelity, record.fingerprint) for record in records if record.state is State.FAILED}
        failed = {record.key for record in again}
        for trial in list(self._trials.values()):
            for number in range(1, len(self._ladder.rungs)):
                keys = {one.key for one in self._seeded(number, trial)}
                begun = {key for key in keys if key in failed or self._folder.has_begun(key)}
                is_broken = (self._ladder.rungs[number].fidelity, trial.candidate.fingerprint) in broken
                if (begun | keys & known) and keys - known and not is_broken:
                    self._go_on(number, trial, known)

    def _lowest(self, record: Record, candidate: Candidate) -> Trial:
        """The trial of a record of the lowest rung."""
        study = self._ladder.rungs[0]
        return Trial(
            study=study.identity,
            number=record.trial,
            candidate=candidate,
            evaluator=study.evaluator,
            fidelity=study.fidelity,
            seed=record.seed,
            origin=record.origin,
            labels=record.labels,
            metrics=study.screen.assess(candidate).metrics,
            details={name: record.details[name] for name in _KNOWN if name in record.details},
        )

    def _begin(self, trial: Trial) -> None:
        """A new design on the lowest rung."""
        name = trial.candidate.fingerprint
        self._trials[name] = trial
        strata = [tuple(trial.labels.get(axis) for axis in rung.strata) for rung in self._ladder.definition.rung]
        self._climb.begin(0, name, strata)

    def _go_on(self, number: int, trial: Trial, known: Collection[Key] = ()) -> None:
        """Send a design to a rung, with every seed that is not known yet."""
        self._climb.begin(number, trial.candidate.fingerprint)
        self._due.extend(one for one in self._seeded(number, trial) if one.key not in known)

    def _seeded(self, number: int, trial: Trial) -> list[Trial]:
        """The trials of a design on a rung: one for each seed."""
        ladder, study = self._ladder, self._ladder.rungs[number]
        first, count = ladder.definition.seed, ladder.definition.rung[number].seeds
        return [
            replace(
                trial,
                evaluator=study.evaluator,
                fidelity=study.fidelity,
                seed=seed,
                continues=ladder.below(number, trial.candidate, seed),
            )
            for seed in range(first, first + count)
        ]

    def _take(self, number: int, record: Record) -> None:
        """Count a record of a rung; the study's own seed decides who goes on."""
        is_complete = record.state is State.COMPLETE
        self._failed += not is_complete
        self._spent += self._ladder.iterations(number) if is_complete else 0
        if self._ladder.rungs[number] is self._ladder.top:
            self._results.add([record])
        if record.seed == self._ladder.definition.seed:
            self._climb.finish(number, record.fingerprint, self._point(number, record) if is_complete else None)

    def _point(self, number: int, record: Record) -> Point:
        objectives = self._ladder.rungs[number].objectives
        return tuple(goal.sign * value for goal, value in zip(objectives, values(record, objectives), strict=True))

    def _revise(self) -> None:
        """Tell the sampler what its designs are now known to be worth."""
        objectives = self._ladder.top.objectives
        place = next(number for number, goal in enumerate(objectives) if goal.direction == "max")
        points = [self._climb.points(number) for number in range(len(self._ladder.rungs))]
        levels: list[Mapping[str, float]] = [
            {design: -point[place] for design, point in level.items()} for level in points
        ]
        worth = trusted(levels)
        lowest = {
            design: [goal.sign * value for goal, value in zip(objectives, point, strict=True)]
            for design, point in points[0].items()
        }
        self._sampler.revise(
            {
                self._trials[design].number: (*known[:place], worth[design], *known[place + 1 :])
                for design, known in lowest.items()
            }
        )


_KNOWN = ("constraints", "latency_by_module", "latency_coverage", "latency_notes")
"""Details of a record that are known before any evaluation."""

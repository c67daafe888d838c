"""The trials of a sweep that several drivers share: each is claimed before it begins, and each hears of the others."""

from collections.abc import Callable, Sequence

from analysis.records.record import Key, Record, State
from analysis.records.study import read_study
from experiments.search.claims.claims import Claims
from experiments.search.claims.copy import SharedReplica
from experiments.search.claims.driver import Driver, News
from experiments.search.claims.rows import OpenClaim
from experiments.search.searcher import Observation, Proposal
from experiments.search.source import SamplerSource
from experiments.search.status import Results
from experiments.search.storage import StorageReplica
from experiments.search.study import Study
from experiments.trials.run_folder import RunFolder
from experiments.trials.trial import EnqueuedTrial, Trial


class SharedSource(SamplerSource):
    """A `SamplerSource` whose sampler sees what other drivers evaluate, as running trials, and what they found."""

    def __init__(
        self,
        study: Study,
        folder: RunFolder,
        results: Results,
        *,
        driver: Driver,
        claims: Claims,
        earlier: Sequence[Record],
        note: Callable[[str], None],
        retry_failed: bool = False,
    ) -> None:
        """Take up the history; as that of a `SamplerSource`.

        Args:
            study: What is searched.
            folder: Where it runs.
            results: Empty; the source keeps it up to date.
            driver: This one, which has exchanged records with the database.
            claims: Its claims.
            earlier: What the folder's records say.
            note: Told what the user should know.
            retry_failed: Whether designs that failed of themselves are tried again as well.
        """
        self._driver, self._claims = driver, claims
        self._others: dict[Key, Proposal] = {}
        self._is_refused = False
        self.driver_number = driver.number
        super().__init__(study, folder, results, earlier=earlier, note=note, retry_failed=retry_failed)
        driver.listen(self)

    @property
    def waits(self) -> bool:
        """Whether others evaluate, or have left, what this run lacks."""
        missing = self._results.complete < self._study.definition.trials
        return missing and bool(self._others or self._enqueued)

    def learn(self, news: News) -> bool:
        """Take into account what others did; whether anything of it is new."""
        self._is_refused = False
        for record in news.records:
            self._take(record)
        running = {claim.key: claim for claim in news.claims if not claim.is_abandoned}
        ended, begun = self._others.keys() - running.keys(), running.keys() - self._others.keys() - self._open.keys()
        for key in ended:
            self._searcher.forget(self._others.pop(key))
        for key in begun:
            self._watch(running[key])
        for claim in news.claims:
            if claim.is_abandoned:
                self._take_up(claim)
        self._replica.take_turn()
        return bool(news.records or ended or begun)

    def _take(self, record: Record) -> None:
        """The record of another driver, as if its trial had been asked for here."""
        observation = self._observation(record)
        proposal = self._others.pop(record.key, None)
        if record.state is State.COMPLETE:
            proposal = proposal or self._searcher.watch(self._study.space.candidate(record.labels), record.labels)
            self._searcher.tell(proposal, observation)
        elif proposal is not None:
            self._searcher.forget(proposal)
        self._results.add([record])
        self._replica.add([observation])

    def _watch(self, claim: OpenClaim) -> None:
        self._results.reopen(claim.key)
        if claim.key not in self._results:
            candidate = self._study.space.candidate(claim.labels)
            self._others[claim.key] = self._searcher.watch(candidate, claim.labels)

    def _take_up(self, claim: OpenClaim) -> None:
        """What a driver has left behind comes before anything new."""
        self._results.reopen(claim.key)
        is_due = any(trial.number == claim.trial for trial in self._enqueued)
        if not is_due and not self._is_known(claim.key):
            self._again.add(claim.trial)
            self._enqueued.appendleft(EnqueuedTrial(labels=claim.labels, origin=claim.origin, number=claim.trial))

    def close(self) -> None:
        """The run is over: keep the copy no longer."""
        self._replica.close()

    def drop(self, key: Key) -> None:
        """Another driver has what was handed out here."""
        opened = self._open.pop(key, None)
        if opened is not None and not opened.trial.pruned:
            self._searcher.forget(opened.proposal)

    def _copied(
        self,
        folder: RunFolder,
        history: list[Observation],  # noqa: ARG002 - read when the copy is taken over, which may be late
    ) -> SharedReplica:
        definition, study = self._study.definition, self._study

        def known() -> list[Observation]:
            records = read_study(folder.records, study=study.identity, fidelity=study.fidelity).records
            return [self._observation(record) for record in records]

        def reach() -> StorageReplica:
            return StorageReplica(
                definition.storage,
                folder.path,
                name=f"{definition.name}-{study.identity}",
                directions=self._directions,
                choices=self._choices,
                shared=True,
            )

        self._replica: SharedReplica = SharedReplica(
            self._claims, reach, history=known, renew=self._driver.renew, note=self._note
        )
        return self._replica

    def _enqueue(self, folder: RunFolder, again: Sequence[Record]) -> None:
        self._driver.reopen([record.key for record in again])
        super()._enqueue(folder, again)

    @property
    def _running(self) -> int:
        return super()._running + len(self._others)

    def _is_known(self, key: Key) -> bool:
        return key in self._others or super()._is_known(key)

    def _claimed(self, trial: Trial) -> Trial | None:
        claimed = self._driver.claim(trial, most=self._study.definition.trials)
        if claimed is None:
            # Who has it, and what else did they do? Without an answer, asking again at once would not help.
            self._is_refused = not self._driver.look(at_once=True)
        return claimed

    def _is_wanted(self) -> bool:
        return not self._is_refused and super()._is_wanted()

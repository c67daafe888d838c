"""The trials of a truth table: every design with the first seed, then every design with the next."""

from collections.abc import Container, Iterable, Sequence

from analysis.records.record import Key, Record, State
from experiments.search.study import Study
from experiments.trials.trial import Standing, Trial
from search_space.candidate import Candidate
from topformer.errors import SpaceError


class TruthSource:
    """A `TrialSource` of given designs and seeds: however far it comes, as many designs as can be have one seed each.

    A record that the folder has is not made again, whatever became of it.
    """

    def __init__(
        self,
        study: Study,
        designs: Sequence[Candidate],
        seeds: Sequence[int],
        *,
        earlier: Iterable[Record],
        known: Container[Key] = frozenset(),
    ) -> None:
        """Prepare the trials.

        Args:
            study: Space, costs, evaluator and budget.
            designs: In order.
            seeds: Of every design, in order.
            earlier: What the folder's records say.
            known: What is not asked for, because another table has it.
        """
        self._study = study
        said = {record.key: record.state for record in earlier}
        every = [(number, one, seed) for seed in seeds for number, one in enumerate(designs)]
        wanted = [one for one in every if self._key(*one[1:]) not in known]
        self._states = {key: said[key] for _, one, seed in wanted if (key := self._key(one, seed)) in said}
        self._left = iter([one for one in wanted if self._key(*one[1:]) not in said])
        self._wanted, self._given = len(wanted), len(every) - len(wanted)

    @property
    def standing(self) -> Standing:
        """How far it is, with what earlier processes did."""
        budget, states = self._study.fidelity.budget, list(self._states.values())
        complete, failed = states.count(State.COMPLETE), states.count(State.FAILED)
        failures = f", {failed} failed" if failed else ""
        given = f", {self._given} more are in the table" if self._given else ""
        return Standing(
            spent=complete * budget,
            total=(self._wanted - failed) * budget,
            text=f"{complete}/{self._wanted} evaluated{failures}{given}",
        )

    def next(self) -> Trial | None:
        """The next design and seed."""
        found = next(self._left, None)
        return None if found is None else self._trial(*found)

    def tell(self, record: Record) -> None:
        """Count it."""
        self._states[record.key] = record.state

    def _key(self, candidate: Candidate, seed: int) -> Key:
        return Key(candidate.fingerprint, self._study.fidelity, seed)

    def _trial(self, number: int, candidate: Candidate, seed: int) -> Trial:
        study = self._study
        labels = study.space.labels_of(candidate)
        if labels is None:
            raise SpaceError(f"space {study.space.name} cannot express {candidate.fingerprint}")
        return Trial(
            study=study.identity,
            number=number,
            candidate=candidate,
            evaluator=study.evaluator,
            fidelity=study.fidelity,
            seed=seed,
            origin="truth",
            labels=labels,
            metrics=study.screen.assess(candidate).metrics,
        )

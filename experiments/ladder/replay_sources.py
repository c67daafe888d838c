"""The trials of a replay: designs of a pool, as a sampler or successive halving asks for them."""

from random import Random

from analysis.records.record import Metric, Record, State
from analysis.results.truth_table import TRAINED, Rung
from experiments.evaluators.base import Evaluator
from experiments.ladder.pool import Pool
from experiments.ladder.recorded import fidelity
from experiments.search.halving.climb import Climb
from experiments.search.searcher import Observation, Proposal, Searcher
from experiments.trials.trial import Standing, Trial
from topformer.errors import EvaluationError

STRATA = ("pool_stride",)
"""Axes within whose labels the halving compares: docs/ladder.md."""


class _Replay:
    """What both kinds of replay share: they make trials of places of the pool."""

    def __init__(self, pool: Pool, random: Random) -> None:
        self._pool, self._random = pool, random
        self._left = set(range(len(pool)))
        self._places = {fingerprint: place for place, fingerprint in enumerate(pool.fingerprints)}

    @property
    def standing(self) -> Standing:
        """Nobody looks."""
        return Standing(spent=0, total=0, text="")

    def _trial(self, place: int, rung: Rung, seed: int | None = None) -> Trial:
        """Of a recorded seed, one drawn at random if none is given."""
        labels = self._pool.labels(place)
        if seed is None:
            seed = self._random.choice(self._pool.seeds[rung][self._pool.fingerprints[place]])
        return Trial(
            study="replay",
            number=place,
            candidate=self._pool.space.candidate(labels),
            evaluator=_nobody,
            fidelity=fidelity(rung),
            seed=seed,
            origin="replay",
            labels=labels,
            metrics={self._pool.cost: Metric(value=float(self._pool.costs[place]), source="predicted")},
        )


class SearchReplay(_Replay):
    """A `TrialSource` of designs of the pool that are nearest to what a sampler proposes."""

    def __init__(self, pool: Pool, searcher: Searcher, trials: int, random: Random) -> None:
        super().__init__(pool, random)
        self._searcher, self._trials = searcher, trials
        self._open: dict[str, Proposal] = {}

    def next(self) -> Trial | None:
        """The next design: first the base, as in a sweep, where it is recorded."""
        if len(self._pool) - len(self._left) >= self._trials:
            return None
        base = self._places.get(self._pool.space.base.fingerprint)
        is_first = len(self._left) == len(self._pool) and base is not None
        proposal = self._searcher.ask(
            self._pool.space, self._pool.labels(base) if is_first and base is not None else None
        )
        place = self._pool.nearest(proposal.labels, self._left, self._random)
        self._left.discard(place)
        trial = self._trial(place, self._pool.table.truth)
        self._open[trial.candidate.fingerprint] = proposal
        return trial

    def tell(self, record: Record) -> None:
        """The sampler learns."""
        value = record.metrics[self._pool.table.truth.metric].value
        values = (value, record.metrics[self._pool.cost].value)
        proposal = self._open.pop(record.fingerprint)
        number = len(self._pool) - len(self._left)
        observation = Observation(trial=number, state=State.COMPLETE, labels=record.labels, values=values)
        if dict(proposal.labels) == dict(record.labels):
            self._searcher.tell(proposal, observation)
        else:
            self._searcher.substitute(proposal, observation)


class ClimbReplay(_Replay):
    """A `TrialSource` of random designs, evaluated on a lower rung, and the best of them trained to the end."""

    def __init__(self, pool: Pool, lower: Rung, wanted: tuple[int, int], random: Random) -> None:
        """Begin at the foot.

        Args:
            pool: What is recorded.
            lower: The first part of the trainings, or another accuracy.
            wanted: Designs on that rung, and how many of them are trained to the end.
            random: Draws designs and seeds.
        """
        super().__init__(pool, random)
        self._lower = lower
        base = pool.space.base.fingerprint
        order = sorted(self._left, key=lambda place: (pool.fingerprints[place] != base, random.random()))
        self._order = iter(order)
        self._climb = Climb(wanted, favoured=frozenset({base}))
        # A training keeps its seed: it goes on from where it was.
        self._seeds: dict[str, int] = {}

    def next(self) -> Trial | None:
        """The next design, or the next part of one."""
        move = self._climb.next()
        if move is None:
            return None
        place = next(self._order) if move.design is None else self._places[move.design]
        rung = self._lower if move.rung == 0 else self._pool.table.truth
        trial = self._trial(place, rung, self._seeds.get(self._pool.fingerprints[place]))
        name = trial.candidate.fingerprint
        if rung.source == TRAINED:
            self._seeds[name] = trial.seed
        strata = tuple(trial.labels.get(axis) for axis in STRATA)
        self._climb.begin(move.rung, name, (strata, strata) if move.rung == 0 else ())
        return trial

    def tell(self, record: Record) -> None:
        """The ladder learns."""
        rung = 0 if record.fidelity == fidelity(self._lower) else 1
        value = record.metrics[(self._lower if rung == 0 else self._pool.table.truth).metric].value
        self._climb.finish(rung, record.fingerprint, (-value, record.metrics[self._pool.cost].value))


def _nobody() -> Evaluator:
    raise EvaluationError("a recorded training is looked up, not made")

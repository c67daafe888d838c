"""One of two doors to Optuna: who proposes the next design. The other is `storage.py`."""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from analysis.records.record import State
from experiments.implementations import canonical
from experiments.search.samplers import SAMPLERS
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer.errors import StudyError

PRUNED_KEPT = 50
"""Pruned trials that the sampler remembers, the newest; of the evaluated ones it remembers all.

TPE's time per proposal grows with its history, so that ten thousand remembered prunings would cost more than a
training; see benchmarks/sweep_overhead.py.
"""

Distributions = Mapping[str, CategoricalDistribution]
SamplerMaker = Callable[[int, int], BaseSampler]
"""Makes a sampler of a seed and of the size of a population, which only genetic ones use."""
DIRECTIONS = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
STATES = {State.COMPLETE: TrialState.COMPLETE, State.PRUNED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}

# Optuna writes every finished trial to stderr by a handler of its own, across our progress display.
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A finished trial as a sampler sees it.

    Attributes:
        trial: Its number in the records.
        state: How it ended.
        labels: Axis name to chosen label.
        values: One number per objective of a complete trial, else empty.
        constraints: Limit to its violation: above 0 where the design exceeds it.
    """

    trial: int
    state: State
    labels: Mapping[str, str]
    values: tuple[float, ...] = ()
    constraints: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A design that the sampler asks for.

    Attributes:
        serial: Handle for the searcher.
        candidate: The candidate, canonical.
        labels: The labels that led to it.
    """

    serial: int
    candidate: Candidate
    labels: Mapping[str, str]


class OptunaChooser:
    """A chooser behind which an Optuna trial stands."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self.labels: dict[str, str] = {}

    def choose(self, name: str, labels: tuple[str, ...]) -> str:
        """The trial's label for the axis `name`."""
        label = self._trial.suggest_categorical(name, labels)
        self.labels[name] = label
        return label


@dataclass(slots=True)
class _Open:
    """A proposal that is not told yet."""

    trial: optuna.Trial | None
    number: int
    labels: Mapping[str, str]
    constraints: Mapping[str, float]


class Searcher:
    """A sampler of Optuna on a short study in memory, made again from observations whenever it grows too long.

    Attributes:
        study: That study: what the sampler sees; it is not to be told anything but through this object.
    """

    study: optuna.Study

    def __init__(
        self, sampler: str, *, directions: Sequence[str], choices: Mapping[str, Sequence[str]], seed: int, trials: int
    ) -> None:
        """Prepare an empty study.

        Args:
            sampler: A name of `SAMPLERS`; of `exhaustive` every `ask` is given its labels.
            directions: `min` or `max` per objective.
            choices: Every label of every axis of the space.
            seed: Seed of all proposals.
            trials: Evaluations planned; the population of a genetic sampler follows from it.

        Raises:
            StudyError: There is no such sampler.
        """
        self._make: SamplerMaker = SAMPLERS[canonical("sampler", sampler, SAMPLERS, StudyError)].load()
        self._directions = [DIRECTIONS[text] for text in directions]
        self._distributions = distributions(choices)
        self._random = Random(seed)  # noqa: S311 - designs are drawn, not secrets
        self._population = max(10, min(50, trials // 5))
        self._complete: list[Observation] = []
        self._pruned: deque[Observation] = deque(maxlen=PRUNED_KEPT)
        self._open: dict[int, _Open] = {}
        self._serial = 0
        self._rebuild()

    def restore(self, observations: Iterable[Observation]) -> None:
        """Take the observations of an earlier process as history."""
        for observation in observations:
            self._remember(observation)
        self._rebuild()

    def ask(self, space: Space, labels: Mapping[str, str] | None = None) -> Proposal:
        """The sampler's next design, or the one of these labels."""
        if self._length >= len(self._complete) + 2 * PRUNED_KEPT:
            self._rebuild()
        self._length += 1
        with _without_experimental_warnings():
            if labels is not None:
                self.study.enqueue_trial(dict(labels))
            trial = self.study.ask()
            chooser = OptunaChooser(trial)
            candidate = space.suggest(chooser)
        self._serial += 1
        self._open[self._serial] = _Open(trial, trial.number, chooser.labels, {})
        return Proposal(self._serial, candidate.canonical(), chooser.labels)

    def constrain(self, proposal: Proposal, constraints: Mapping[str, float]) -> None:
        """Say how far the design is from each limit; above 0 exceeds it."""
        opened = self._open[proposal.serial]
        opened.constraints = constraints
        if opened.trial is not None:
            for name, value in constraints.items():
                opened.trial.set_constraint(name, value)

    def tell(self, proposal: Proposal, observation: Observation) -> None:
        """Say what became of a proposal; from a failure the samplers learn nothing."""
        number = self._open.pop(proposal.serial).number
        self._remember(observation)
        with _without_experimental_warnings():
            self.study.tell(number, list(observation.values) or None, STATES[observation.state])

    def forget(self, proposal: Proposal) -> None:
        """Leave no trace of a proposal, because its design is known already."""
        self.study.tell(self._open.pop(proposal.serial).number, state=TrialState.FAIL)

    def _remember(self, observation: Observation) -> None:
        if observation.state is State.COMPLETE:
            self._complete.append(observation)
        elif observation.state is State.PRUNED:
            self._pruned.append(observation)

    def _rebuild(self) -> None:
        """A study of what is remembered and what is open; with a fresh sampler, because samplers keep caches."""
        with _without_experimental_warnings():
            sampler = self._make(self._random.getrandbits(32), self._population)
        self.study = optuna.create_study(directions=self._directions, sampler=sampler)
        remembered = sorted([*self._complete, *self._pruned], key=lambda item: item.trial)
        generations = self._generations(sampler)
        for observation in remembered:
            self.study.add_trial(finished(observation, self._distributions, generations.get(observation.trial)))
        for number, opened in enumerate(self._open.values(), start=len(remembered)):
            self.study.add_trial(_trial(TrialState.RUNNING, opened.labels, self._distributions, opened.constraints))
            opened.trial, opened.number = None, number
        self._length = len(remembered) + len(self._open)

    def _generations(self, sampler: BaseSampler) -> dict[int, dict[str, Any]]:
        """The generation of each complete trial, as a genetic sampler notes it; empty for the others."""
        if not isinstance(sampler, (optuna.samplers.NSGAIISampler, optuna.samplers.NSGAIIISampler)):
            return {}
        name = f"{type(sampler).__name__}:generation"
        return {item.trial: {name: place // self._population} for place, item in enumerate(self._complete)}


def make_tpe(seed: int, _population: int) -> BaseSampler:
    """TPE over all axes at once; `group`, because an axis may be absent from a design."""
    return optuna.samplers.TPESampler(multivariate=True, group=True, seed=seed)


def make_nsga2(seed: int, population: int) -> BaseSampler:
    """NSGA-II."""
    return optuna.samplers.NSGAIISampler(population_size=population, seed=seed)


def make_nsga3(seed: int, population: int) -> BaseSampler:
    """NSGA-III."""
    return optuna.samplers.NSGAIIISampler(population_size=population, seed=seed)


def make_gp(seed: int, _population: int) -> BaseSampler:
    """Optuna's Gaussian process."""
    return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)


def make_random(seed: int, _population: int) -> BaseSampler:
    """Uniform."""
    return optuna.samplers.RandomSampler(seed=seed)


def _trial(
    state: TrialState,
    labels: Mapping[str, str],
    choices: Distributions,
    constraints: Mapping[str, float],
    **rest: Any,
) -> FrozenTrial:
    return create_trial(
        state=state,
        params=dict(labels),
        distributions={name: choices[name] for name in labels},
        constraints=dict(constraints),
        **rest,
    )


def finished(item: Observation, choices: Distributions, attributes: Mapping[str, Any] | None = None) -> FrozenTrial:
    """An observation as a trial of Optuna, perhaps with attributes that a sampler reads."""
    rest = {"values": list(item.values) or None, "user_attrs": {"trial": item.trial}, "system_attrs": attributes}
    return _trial(STATES[item.state], item.labels, choices, item.constraints, **rest)


def distributions(choices: Mapping[str, Sequence[str]]) -> Distributions:
    """Every label of every axis, as Optuna writes it."""
    return {name: CategoricalDistribution(tuple(labels)) for name, labels in choices.items()}


@contextmanager
def _without_experimental_warnings() -> Iterator[None]:
    """Optuna marks TPE's `group` and its Gaussian process as experimental at each use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield

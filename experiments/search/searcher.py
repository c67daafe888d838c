"""One of the doors to Optuna: who proposes the next design. The others are `storage.py` and `ehvi/sampler.py`."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
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
from experiments.search.ehvi.designs import Designs
from experiments.search.ehvi.sampler import EHVISampler
from experiments.search.samplers import SAMPLERS
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer.errors import StudyError

FORGOTTEN = 100
"""Proposals that led nowhere, after which the study is made again without them.

A sampler's time per proposal grows with its history, and in a large space with narrow limits thousands of proposals are
pruned by cost; see benchmarks/sweep_overhead.py.
"""

Distributions = Mapping[str, CategoricalDistribution]
DIRECTIONS = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
STATES = {State.COMPLETE: TrialState.COMPLETE, State.PRUNED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}

# Optuna writes every finished trial to stderr by a handler of its own, across our progress display.
# What its warnings say of a storage, with the statements, comes as an exception, too, and is said in one sentence.
optuna.logging.set_verbosity(optuna.logging.ERROR)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a sampler is made of.

    Attributes:
        seed: Of its proposals.
        population: Size of a generation, for genetic samplers.
        designs: Lists what may be proposed and what it costs, for samplers that want to know.
        objectives: Name of each objective: `accuracy`, or a column of the designs' costs.
    """

    seed: int
    population: int
    designs: Callable[[], Designs]
    objectives: tuple[str, ...]


SamplerMaker = Callable[[Setting], BaseSampler]


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

    number: int
    labels: Mapping[str, str]


class Searcher:
    """A sampler of Optuna on a short study in memory, made again from observations when too many proposals led nowhere.

    Attributes:
        study: That study: what the sampler sees; it is not to be told anything but through this object.
    """

    study: optuna.Study

    def __init__(
        self,
        sampler: str,
        *,
        directions: Sequence[str],
        choices: Mapping[str, Sequence[str]],
        seed: int,
        trials: int,
        designs: Callable[[], Designs],
        objectives: Sequence[str],
    ) -> None:
        """Prepare an empty study.

        Args:
            sampler: A name of `SAMPLERS`; of `exhaustive` every `ask` is given its labels.
            directions: `min` or `max` per objective.
            choices: Every label of every axis of the space.
            seed: Seed of all proposals.
            trials: Evaluations planned; the population of a genetic sampler follows from it.
            designs: Lists what may be proposed, with its costs; called once, and only for a sampler that asks.
            objectives: Name of each objective, without the device or the data behind it.

        Raises:
            StudyError: There is no such sampler.
        """
        self._make: SamplerMaker = SAMPLERS[canonical("sampler", sampler, SAMPLERS, StudyError)].load()
        self._directions = [DIRECTIONS[text] for text in directions]
        self._distributions = distributions(choices)
        self._random = Random(seed)  # noqa: S311 - designs are drawn, not secrets
        self._population = max(10, min(50, trials // 5))
        self._designs, self._objectives = cache(designs), tuple(objectives)
        self._complete: list[Observation] = []
        self._open: dict[int, _Open] = {}
        self._serial = 0
        self._rebuild()

    def restore(self, observations: Iterable[Observation]) -> None:
        """Take the complete observations of an earlier process as history."""
        self._complete.extend(item for item in observations if item.state is State.COMPLETE)
        self._rebuild()

    def ask(self, space: Space, labels: Mapping[str, str] | None = None) -> Proposal:
        """The sampler's next design, or the one of these labels."""
        if self._forgotten >= FORGOTTEN:
            self._rebuild()
        with without_experimental_warnings():
            if labels is not None:
                self.study.enqueue_trial(dict(labels))
            trial = self.study.ask()
            chooser = OptunaChooser(trial)
            candidate = space.suggest(chooser)
        self._serial += 1
        self._open[self._serial] = _Open(trial.number, chooser.labels)
        return Proposal(self._serial, candidate.canonical(), chooser.labels)

    def watch(self, candidate: Candidate, labels: Mapping[str, str]) -> Proposal:
        """Say that another driver evaluates a design; told or forgotten as if it had been asked for here."""
        self.study.add_trial(_trial(TrialState.RUNNING, labels, self._distributions, {}))
        self._serial += 1
        self._open[self._serial] = _Open(self.study.get_trials(deepcopy=False)[-1].number, labels)
        return Proposal(self._serial, candidate.canonical(), labels)

    def tell(self, proposal: Proposal, observation: Observation) -> None:
        """Say what became of a proposal; from a failure the samplers learn nothing."""
        if observation.state is not State.COMPLETE:
            self.forget(proposal)
            return
        number = self._open.pop(proposal.serial).number
        self._complete.append(observation)
        with without_experimental_warnings():
            self.study.tell(number, list(observation.values))

    def substitute(self, proposal: Proposal, observation: Observation) -> None:
        """Say what became of another design, which was evaluated in the place of a proposal."""
        number = self._open[proposal.serial].number
        # A genetic sampler notes there which generation the proposal is of.
        attributes = self.study.get_trials(deepcopy=False)[number].system_attrs
        self.forget(proposal)
        self._complete.append(observation)
        self.study.add_trial(finished(observation, self._distributions, attributes))

    def revise(self, values: Mapping[int, tuple[float, ...]]) -> None:
        """Other numbers for complete observations, by trial: what a design is now known to be worth."""
        self._complete = [
            replace(one, values=values[one.trial]) if one.trial in values else one for one in self._complete
        ]
        self._rebuild()

    def forget(self, proposal: Proposal) -> None:
        """Leave no trace of a proposal: its design is known already, or its costs alone decide against it.

        Prunings that cost nothing would count among the first random trials of TPE, and among its good and bad ones.
        """
        self.study.tell(self._open.pop(proposal.serial).number, state=TrialState.FAIL)
        self._forgotten += 1

    def _rebuild(self) -> None:
        """A study of what is complete and what is open; with a fresh sampler, because samplers keep caches."""
        seed = self._random.getrandbits(32)
        setting = Setting(seed=seed, population=self._population, designs=self._designs, objectives=self._objectives)
        with without_experimental_warnings():
            sampler = self._make(setting)
        self.study = optuna.create_study(directions=self._directions, sampler=sampler)
        history = sorted(self._complete, key=lambda item: item.trial)
        generations = self._generations(sampler)
        for observation in history:
            self.study.add_trial(finished(observation, self._distributions, generations.get(observation.trial)))
        for number, opened in enumerate(self._open.values(), start=len(history)):
            self.study.add_trial(_trial(TrialState.RUNNING, opened.labels, self._distributions, {}))
            opened.number = number
        self._forgotten = 0

    def _generations(self, sampler: BaseSampler) -> dict[int, dict[str, Any]]:
        """The generation of each complete trial, as a genetic sampler notes it; empty for the others."""
        if not isinstance(sampler, (optuna.samplers.NSGAIISampler, optuna.samplers.NSGAIIISampler)):
            return {}
        name = f"{type(sampler).__name__}:generation"
        return {item.trial: {name: place // self._population} for place, item in enumerate(self._complete)}


def make_tpe(setting: Setting) -> BaseSampler:
    """TPE over all axes at once; `group`, because an axis may be absent from a design."""
    return optuna.samplers.TPESampler(multivariate=True, group=True, seed=setting.seed)


def make_nsga2(setting: Setting) -> BaseSampler:
    """NSGA-II."""
    return optuna.samplers.NSGAIISampler(population_size=setting.population, seed=setting.seed)


def make_nsga3(setting: Setting) -> BaseSampler:
    """NSGA-III."""
    return optuna.samplers.NSGAIIISampler(population_size=setting.population, seed=setting.seed)


def make_gp(setting: Setting) -> BaseSampler:
    """Optuna's Gaussian process."""
    return optuna.samplers.GPSampler(seed=setting.seed, warn_independent_sampling=False)


def make_random(setting: Setting) -> BaseSampler:
    """Uniform."""
    return optuna.samplers.RandomSampler(seed=setting.seed)


def make_ehvi(setting: Setting) -> BaseSampler:
    """Our own, for costs that are exact and free."""
    return EHVISampler(setting.designs(), setting.objectives, seed=setting.seed)


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
def without_experimental_warnings() -> Iterator[None]:
    """Optuna marks TPE's `group`, its Gaussian process and names of metrics as experimental at each use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield

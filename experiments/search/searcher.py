"""The door to Optuna: who proposes the next design, and the storage that other tools can read."""

import json
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from analysis.records.record import State
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer.errors import StorageError, StudyError, unknown_name

JOURNAL_FILE = "optuna.journal"
PRUNED_KEPT = 50
"""Pruned trials that the sampler remembers, the newest; of the evaluated ones it remembers all.

TPE's time per proposal grows with its history, so that ten thousand remembered prunings would cost more than a
training; see benchmarks/sweep_overhead.py.
"""
_CONNECT_SECONDS = 5

_Distributions = Mapping[str, CategoricalDistribution]
_DIRECTIONS = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
_STATES = {State.COMPLETE: TrialState.COMPLETE, State.PRUNED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}

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
    """A sampler of Optuna on a short study in memory, made again from observations whenever it grows too long."""

    def __init__(
        self, sampler: str, *, directions: Sequence[str], choices: Mapping[str, Sequence[str]], seed: int, trials: int
    ) -> None:
        """Prepare an empty study.

        Args:
            sampler: `tpe`, `nsga2`, `nsga3`, `gp`, `random`, or `grid`, for which every `ask` is given its labels.
            directions: `min` or `max` per objective.
            choices: Every label of every axis of the space.
            seed: Seed of all proposals.
            trials: Evaluations planned; the population of a genetic sampler follows from it.

        Raises:
            StudyError: There is no such sampler.
        """
        self._sampler = sampler
        self._directions = [_DIRECTIONS[text] for text in directions]
        self._distributions = _distributions(choices)
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
                self._study.enqueue_trial(dict(labels))
            trial = self._study.ask()
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
            self._study.tell(number, list(observation.values) or None, _STATES[observation.state])

    def forget(self, proposal: Proposal) -> None:
        """Leave no trace of a proposal, because its design is known already."""
        self._study.tell(self._open.pop(proposal.serial).number, state=TrialState.FAIL)

    def _remember(self, observation: Observation) -> None:
        if observation.state is State.COMPLETE:
            self._complete.append(observation)
        elif observation.state is State.PRUNED:
            self._pruned.append(observation)

    def _rebuild(self) -> None:
        """A study of what is remembered and what is open; with a fresh sampler, because samplers keep caches."""
        sampler = _sampler(self._sampler, self._random.getrandbits(32), self._population)
        self._study = optuna.create_study(directions=self._directions, sampler=sampler)
        remembered = sorted([*self._complete, *self._pruned], key=lambda item: item.trial)
        generations = self._generations()
        for observation in remembered:
            self._study.add_trial(_finished(observation, self._distributions, generations.get(observation.trial)))
        for number, opened in enumerate(self._open.values(), start=len(remembered)):
            self._study.add_trial(_trial(TrialState.RUNNING, opened.labels, self._distributions, opened.constraints))
            opened.trial, opened.number = None, number
        self._length = len(remembered) + len(self._open)

    def _generations(self) -> dict[int, dict[str, Any]]:
        """The generation of each complete trial, as a genetic sampler notes it; empty for the others."""
        name = {"nsga2": "NSGAIISampler", "nsga3": "NSGAIIISampler"}.get(self._sampler)
        ordered = enumerate(self._complete if name else ())
        return {item.trial: {f"{name}:generation": place // self._population} for place, item in ordered}


class Mirror:
    """The finished trials in the storage that the user named: a copy for dashboards; the records are the truth."""

    def __init__(
        self, url: str, folder: Path, *, name: str, directions: Sequence[str], choices: Mapping[str, Sequence[str]]
    ) -> None:
        """Reach the storage and the study in it.

        Args:
            url: `journal` for a file in the run folder, or a database URL.
            folder: The run folder.
            name: Name of the study in the storage.
            directions: As for a `Searcher`.
            choices: As for a `Searcher`.

        Raises:
            StudyError: The URL is none.
            StorageError: The storage does not answer or cannot be read.
        """
        self._name = name
        self._journal = folder / JOURNAL_FILE if url == "journal" else None
        self._directions = [_DIRECTIONS[text] for text in directions]
        self._distributions = _distributions(choices)
        self._shown = str(self._journal or _without_password(url))
        with self._answering():
            self._storage = _storage(url, self._journal)
            self._study = self._create()

    def reconcile(self, observations: Sequence[Observation]) -> int:
        """Make the storage hold these trials and no other; how many it lacked. Errors as in `add`.

        A storage that lost trials is completed; one with others, twice the same, or unfinished ones is written anew.
        """
        wanted = {item.trial: _STATES[item.state] for item in observations}
        with self._answering():
            trials = self._study.get_trials(deepcopy=False)
            found = {trial.user_attrs.get("trial", -1): trial.state for trial in trials}
            if len(found) < len(trials) or any(wanted.get(number) != state for number, state in found.items()):
                optuna.delete_study(study_name=self._name, storage=self._storage)
                self._study, found = self._create(), {}
        missing = [item for item in observations if item.trial not in found]
        self.add(missing)
        return len(missing)

    def add(self, observations: Iterable[Observation]) -> None:
        """Copy finished trials.

        Raises:
            StorageError: The storage does not take them.
        """
        with self._answering():
            for observation in observations:
                self._study.add_trial(_finished(observation, self._distributions))

    def _create(self) -> optuna.Study:
        return optuna.create_study(
            study_name=self._name, storage=self._storage, directions=self._directions, load_if_exists=True
        )

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Every failure of the storage as one sentence, without its password."""
        try:
            yield
        except (SQLAlchemyError, StorageInternalError, ImportError, OSError) as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
            reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
            raise StorageError(f"storage {self._shown} does not answer: {reason}") from error


class _JournalCopy(JournalFileBackend):
    """A journal that does not wait for the disk: what a power cut takes away is copied again from the records."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines at the end; the lock of the run folder protects them."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with Path(self._file_path).open("ab") as file:
            file.write(lines.encode())


def _storage(url: str, journal: Path | None) -> BaseStorage:
    if journal is None:
        patience = {"connect_timeout": _CONNECT_SECONDS} if url.startswith(("postgresql", "mysql")) else {}
        return RDBStorage(url, engine_kwargs={"connect_args": patience})
    if journal.exists() and not journal.read_bytes().endswith(b"\n"):
        journal.unlink()
    try:
        return JournalStorage(_JournalCopy(str(journal)))
    except (ValueError, KeyError):
        # A damaged journal is made again from the records.
        journal.unlink()
        return JournalStorage(_JournalCopy(str(journal)))


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        raise StudyError(
            f"storage must be 'journal' or a URL that SQLAlchemy reads, not this {len(url)}-letter one"
        ) from None


def _sampler(name: str, seed: int, population: int) -> optuna.samplers.BaseSampler:
    makers: Mapping[str, Callable[[], optuna.samplers.BaseSampler]] = {
        "tpe": lambda: optuna.samplers.TPESampler(multivariate=True, group=True, seed=seed),
        "nsga2": lambda: optuna.samplers.NSGAIISampler(population_size=population, seed=seed),
        "nsga3": lambda: optuna.samplers.NSGAIIISampler(population_size=population, seed=seed),
        "gp": lambda: optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "grid": lambda: optuna.samplers.RandomSampler(seed=seed),
    }
    if name not in makers:
        raise StudyError(unknown_name("sampler", name, makers))
    with _without_experimental_warnings():
        return makers[name]()


def _trial(
    state: TrialState,
    labels: Mapping[str, str],
    distributions: _Distributions,
    constraints: Mapping[str, float],
    **rest: Any,
) -> FrozenTrial:
    return create_trial(
        state=state,
        params=dict(labels),
        distributions={name: distributions[name] for name in labels},
        constraints=dict(constraints),
        **rest,
    )


def _finished(
    item: Observation, distributions: _Distributions, attributes: Mapping[str, Any] | None = None
) -> FrozenTrial:
    rest = {"values": list(item.values) or None, "user_attrs": {"trial": item.trial}, "system_attrs": attributes}
    return _trial(_STATES[item.state], item.labels, distributions, item.constraints, **rest)


def _distributions(choices: Mapping[str, Sequence[str]]) -> _Distributions:
    return {name: CategoricalDistribution(tuple(labels)) for name, labels in choices.items()}


@contextmanager
def _without_experimental_warnings() -> Iterator[None]:
    """Optuna marks TPE's `group` and its Gaussian process as experimental at each use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield

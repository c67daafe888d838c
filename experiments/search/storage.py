"""One of two doors to Optuna: a copy of the finished trials where dashboards read them. The other is `searcher.py`."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from experiments.search.replica import Request
from experiments.search.searcher import DIRECTIONS, STATES, Observation, OptunaChooser, distributions, finished
from search_space.spaces.space import Space
from topformer.errors import SpaceError, StorageError, StudyError
from topformer.files import check_regular

JOURNAL_FILE = "optuna.journal"
_CONNECT_SECONDS = 5
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, RecursionError)
"""What Optuna raises for a journal whose lines are none of its own."""
_NUMBER = "trial"
"""User attribute of a trial in the storage: the number of its record."""
_FIXED = "fixed_params"
"""Where Optuna keeps what was enqueued."""


class StorageReplica:
    """The finished trials in the storage that the user named: a copy for dashboards; the records are the truth.

    What a dashboard enqueues there is a request, which the sweep takes up as a trial.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        name: str,
        directions: Sequence[str],
        choices: Mapping[str, Sequence[str]],
        shared: bool = False,
    ) -> None:
        """Reach the storage and the study in it.

        Args:
            url: `journal` for a file in the run folder, or a database URL.
            folder: The run folder.
            name: Name of the study in the storage.
            directions: As for a `Searcher`.
            choices: As for a `Searcher`.
            shared: Whether other drivers have copied there, too: then nothing of it is ever written anew.

        Raises:
            StudyError: The URL is none.
            StorageError: The storage does not answer or cannot be read.
        """
        self._name, self._shared = name, shared
        self._journal = folder / JOURNAL_FILE if url == "journal" else None
        self._directions = [DIRECTIONS[text] for text in directions]
        self._distributions = distributions(choices)
        self._requests: dict[int, int] = {}
        self._shown = str(self._journal or shown_address(read_url(url)))
        with self._answering():
            self._storage = _storage(url, self._journal)
            self._study = self._create()

    def reconcile(self, observations: Sequence[Observation]) -> int:
        """Make the storage hold these trials, each once; how many were written for that. Errors as in `add`."""
        missing = self.missing(observations)
        self.add(missing)
        return len(missing)

    def missing(self, observations: Sequence[Observation]) -> list[Observation]:
        """Those of all trials that the storage lacks. Errors as in `add`.

        What is not ours stays: trials that others finished or enqueued, and every attribute. One that is not shared and
        has trials of ours without a record, twice the same or abandoned ones is written anew around what stays.
        """
        wanted = {item.trial: STATES[item.state] for item in observations}
        with self._answering():
            trials = self._study.get_trials(deepcopy=False)
            copied = [(trial.user_attrs[_NUMBER], trial.state) for trial in trials if _is_copy(trial)]
            # A failed trial that was tried again stays beside its repetition.
            right = {pair for pair in copied if pair[0] in wanted and pair[1] in (wanted[pair[0]], TrialState.FAIL)}
            is_right = len(right) == len(copied) and not any(_is_abandoned(trial) for trial in trials)
            if not is_right and not self._shared:
                self._rewrite([trial for trial in trials if not _is_copy(trial) and not _is_abandoned(trial)])
                right = set()
            right |= self._finish_requests(observations)
        return [item for item in observations if (item.trial, STATES[item.state]) not in right]

    def _rewrite(self, others: Sequence[FrozenTrial]) -> None:
        """The study anew, with its attributes and with these trials."""
        user, system = self._study.user_attrs, self._storage.get_study_system_attrs(self._id)
        optuna.delete_study(study_name=self._name, storage=self._storage)
        self._study = self._create()
        for name, value in user.items():
            self._study.set_user_attr(name, value)
        for name, value in system.items():
            self._storage.set_study_system_attr(self._id, name, value)
        for trial in others:
            self._study.add_trial(_waiting(trial) if trial.state is TrialState.RUNNING else trial)

    def requests(self, space: Space, note: Callable[[str], None]) -> list[Request]:
        """What others enqueued in the storage since the last call; axes that a request leaves open are drawn.

        Args:
            space: The designs.
            note: Told of requests that no design of the space answers; they become failed trials.

        Raises:
            StorageError: The storage does not answer.
        """
        with self._answering():
            waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
            enqueued = {trial.number: trial.system_attrs.get(_FIXED, {}) for trial in waiting}
            found = [self._request(space, enqueued, note) for _ in waiting]
        return [request for request in found if request is not None]

    def _request(
        self, space: Space, enqueued: Mapping[int, Mapping[str, Any]], note: Callable[[str], None]
    ) -> Request | None:
        trial = self._study.ask()
        chooser = OptunaChooser(trial)
        try:
            space.suggest(chooser)
            for name in enqueued.get(trial.number, {}):
                if name not in chooser.labels:
                    raise SpaceError(f"axis {name!r} does not exist or does not apply")
        except (SpaceError, ValueError) as error:
            note(f"trial {trial.number} that was enqueued in the storage cannot be tried: {error}")
            self.decline(trial.number)
            return None
        return Request(trial.number, chooser.labels)

    def decline(self, number: int) -> None:
        """A request, by its number in the storage, is not tried."""
        with self._answering():
            self._study.tell(number, state=TrialState.FAIL)

    def accept(self, number: int, trial: int) -> None:
        """A request, by its number in the storage, became the trial of that number, and ends as that does."""
        with self._answering():
            place = self._storage.get_trial_id_from_study_id_trial_number(self._id, number)
            self._storage.set_trial_user_attr(place, _NUMBER, trial)
        self._requests[trial] = number

    def unfinished(self) -> list[Request]:
        """Requests that an earlier process took, and that have no trial yet or one without an end."""
        with self._answering():
            running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [Request(trial.number, trial.params, trial.user_attrs.get(_NUMBER)) for trial in running]

    @property
    def _id(self) -> int:
        return self._storage.get_study_id_from_name(self._name)

    def _finish_requests(self, observations: Iterable[Observation]) -> set[tuple[int, TrialState]]:
        """End what was taken and is recorded, where a kill came between the record and the storage; which these are."""
        known, ended = {item.trial: item for item in observations}, set()
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if (item := known.get(trial.user_attrs.get(_NUMBER, -1))) is not None:
                self._study.tell(trial.number, list(item.values) or None, STATES[item.state])
                ended.add((item.trial, STATES[item.state]))
        return ended

    def add(self, observations: Iterable[Observation]) -> None:
        """Copy finished trials.

        Raises:
            StorageError: The storage does not take them.
        """
        with self._answering():
            for observation in observations:
                number = self._requests.pop(observation.trial, None)
                if number is None:
                    self._study.add_trial(finished(observation, self._distributions))
                else:
                    self._study.tell(number, list(observation.values) or None, STATES[observation.state])

    def close(self) -> None:
        """Let the connections to a database go."""
        if isinstance(self._storage, RDBStorage):
            self._storage.remove_session()
            self._storage.engine.dispose()

    def _create(self) -> optuna.Study:
        return optuna.create_study(
            study_name=self._name,
            storage=self._storage,
            directions=self._directions,
            load_if_exists=True,
            # Asked only for the axes that a request leaves open.
            sampler=optuna.samplers.RandomSampler(seed=0),
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


def _is_copy(trial: FrozenTrial) -> bool:
    """Whether it is the copy of a record."""
    return _NUMBER in trial.user_attrs and trial.state.is_finished()


def _is_abandoned(trial: FrozenTrial) -> bool:
    """Whether it was begun by a program that does not live: the one that runs here takes requests only."""
    return trial.state is TrialState.RUNNING and _FIXED not in trial.system_attrs


def _waiting(trial: FrozenTrial) -> FrozenTrial:
    """A request that is open again."""
    return create_trial(
        state=TrialState.WAITING,
        system_attrs=trial.system_attrs,
        user_attrs={name: value for name, value in trial.user_attrs.items() if name != _NUMBER},
    )


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
    check_regular(journal, what="journal", error=StorageError)
    if journal.exists() and not journal.read_bytes().endswith(b"\n"):
        journal.unlink()
    try:
        return JournalStorage(_JournalCopy(str(journal)))
    except _DAMAGE:
        # A damaged journal is made again from the records.
        journal.unlink()
        return JournalStorage(_JournalCopy(str(journal)))


def read_url(url: str) -> URL:
    """The parts of a database's URL.

    Raises:
        StudyError: It is none; what may be a password is not shown.
    """
    try:
        found = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise StudyError(
            f"storage must be 'journal' or a URL that SQLAlchemy reads, not this {len(url)}-letter one"
        ) from None
    if "@" in (found.host or ""):
        # Else what follows the first @ of a password would be taken for the host, and shown.
        raise StudyError("storage must have one @ before its host: in a user name or password it is written %40")
    return found


def shown_address(url: URL) -> str:
    """A URL without its password and its options, among which there may be another one."""
    return url.set(query={}).render_as_string(hide_password=True)

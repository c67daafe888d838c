"""One of two doors to Optuna: a copy of the finished trials where dashboards read them. The other is `searcher.py`."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from experiments.search.searcher import DIRECTIONS, STATES, Observation, distributions, finished
from topformer.errors import StorageError, StudyError

JOURNAL_FILE = "optuna.journal"
_CONNECT_SECONDS = 5
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, RecursionError)
"""What Optuna raises for a journal whose lines are none of its own."""


class StorageReplica:
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
        self._directions = [DIRECTIONS[text] for text in directions]
        self._distributions = distributions(choices)
        self._shown = str(self._journal or _without_password(url))
        with self._answering():
            self._storage = _storage(url, self._journal)
            self._study = self._create()

    def reconcile(self, observations: Sequence[Observation]) -> int:
        """Make the storage hold these trials and no other; how many it lacked. Errors as in `add`.

        A storage that lost trials is completed; one with others, twice the same, or unfinished ones is written anew.
        """
        wanted = {item.trial: STATES[item.state] for item in observations}
        with self._answering():
            trials = self._study.get_trials(deepcopy=False)
            copied = {trial.user_attrs.get("trial", -1): trial.state for trial in trials}
            if len(copied) < len(trials) or any(wanted.get(number) != state for number, state in copied.items()):
                optuna.delete_study(study_name=self._name, storage=self._storage)
                self._study, copied = self._create(), {}
        missing = [item for item in observations if item.trial not in copied]
        self.add(missing)
        return len(missing)

    def add(self, observations: Iterable[Observation]) -> None:
        """Copy finished trials.

        Raises:
            StorageError: The storage does not take them.
        """
        with self._answering():
            for observation in observations:
                self._study.add_trial(finished(observation, self._distributions))

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
    except _DAMAGE:
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

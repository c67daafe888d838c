"""The folder of a study: its definition, records, evaluations under way, and the lock of the sweep that runs in it."""

import socket
import uuid
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from analysis.records.record import RECORDS, JsonlStore, Key, Record
from experiments.engines.fence import begin_attempt, current_attempt, raise_attempt
from experiments.files import claim, held, make_folder
from experiments.training.claim import CHECKPOINT
from experiments.trials.trial import EnqueuedTrial, Trial
from topformer.bounds import NATURAL
from topformer.errors import StorageError
from topformer.files import read_object, write_json
from topformer.kinds import Entries, Text
from topformer.schema import key, read

SCHEMA = 1
"""Version of `study.json`; another one is refused."""
STUDY = "study.json"
TRIALS = "trials"
LOGS = "logs"
_TRIAL = "trial.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """What is noted of an evaluation when it begins."""

    trial: int = field(metadata=key(NATURAL, "Its number."))
    labels: Mapping[str, str] = field(metadata=key(Entries(Text()), "Label of its design by axis."))
    origin: str = field(metadata=key(Text(), "Who asked for it."))


class RunFolder:
    """The folder of one study; use it as a context manager, which holds the lock.

    Attributes:
        path: Where it is.
        records: The results.
        run: A random name, so that copies of two run folders in one database stay apart.
    """

    def __init__(self, path: Path, description: Mapping[str, Any]) -> None:
        """Name the folder; nothing is made or read before the context is entered.

        Args:
            path: The folder.
            description: Everything that the results depend on, as plain JSON; `identity` is its digest.
        """
        self.path = Path(path)
        self.records = JsonlStore(self.path / RECORDS)
        self.run = ""
        self._description = {"schema": SCHEMA, **description}

    def __enter__(self) -> Self:
        """Make or claim the folder.

        Raises:
            StudyError: It belongs to another study or holds other files, or another sweep runs in it.
            StorageError: The disk does not give or take it.
        """
        with ExitStack() as stack:
            stack.enter_context(held(self.path, "sweep"))
            note = claim(
                self.path, STUDY, self._description, holds="study", once={"run": uuid.uuid4().hex[:8]}, besides=(LOGS,)
            )
            self.run = str(note.get("run", ""))
            self._number = self.path.stat().st_ino
            self._held = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    @property
    def owner(self) -> str:
        """A name for whoever runs in it: that of the machine, the run and the folder, so that copies differ."""
        return f"{socket.gethostname()}:{self.run}:{self._number}"

    @property
    def waits(self) -> bool:
        """Nobody else works on the study."""
        return False

    def look(self) -> bool:
        """Nobody else works on the study."""
        return False

    def append(self, records: Collection[Record]) -> frozenset[Key]:
        """Write records, which are on the disk when this returns; all of them count.

        Raises:
            StorageError: The disk does not take them, or somebody removed the folder.
        """
        self._check_there()
        self.records.append_many(records)
        return frozenset(record.key for record in records)

    def _check_there(self) -> None:
        """The folder is the one that was entered: to make it again would hide that the results before are gone."""
        try:
            is_there = self.path.stat().st_ino == self._number
        except OSError:
            is_there = False
        if not is_there:
            raise StorageError(f"the run folder {self.path} was removed or replaced while the run was using it")

    def begin(self, trial: Trial) -> Path:
        """Note on disk that an evaluation begins, so that a killed run takes it up again; gives its folder.

        Raises:
            StorageError: The disk does not take it, or somebody removed the run folder.
        """
        self._check_there()
        folder = self._folder(trial.key)
        make_folder(folder)
        if trial.continues is not None:
            _move(self.path / TRIALS / trial.continues.folder / CHECKPOINT, folder / CHECKPOINT)
        write_json(folder / _TRIAL, {"trial": trial.number, "labels": dict(trial.labels), "origin": trial.origin})
        if trial.attempt is not None:
            raise_attempt(folder, trial.attempt)
        return folder

    def has_begun(self, key: Key) -> bool:
        """Whether that evaluation was ever begun."""
        return (self._folder(key) / _TRIAL).exists()

    def attempt(self, key: Key) -> int:
        """How often an evaluation was taken up in this folder by one of several drivers."""
        return current_attempt(self._folder(key))

    def withdraw(self, key: Key) -> None:
        """End what a worker does in the folder of an evaluation, as soon as it gives news: another driver has it.

        Raises:
            StorageError: The disk does not take the note.
        """
        if (folder := self._folder(key)).exists():
            begin_attempt(folder)

    def _folder(self, key: Key) -> Path:
        # Begun by version 0.1, where a run folder knew one fidelity and one seed.
        old = self.path / TRIALS / key.fingerprint
        return old if (old / _TRIAL).exists() else self.path / TRIALS / key.folder

    def begun(self) -> list[EnqueuedTrial]:
        """Every evaluation that was ever begun, in the order of their numbers.

        Raises:
            StorageError: A note cannot be read.
        """
        notes = [_read(path) for path in (self.path / TRIALS).glob(f"*/{_TRIAL}")]
        trials = [EnqueuedTrial(number=note.trial, labels=note.labels, origin=note.origin) for note in notes]
        return sorted(trials, key=lambda trial: trial.number or 0)


def _move(checkpoint: Path, place: Path) -> None:
    """A checkpoint that is gone was taken before; without one, the evaluation begins anew."""
    if checkpoint.exists() and not place.exists():
        try:
            checkpoint.replace(place)
        except OSError as error:
            raise StorageError(f"cannot move {checkpoint} to {place}: {error.strerror or error}") from error


def _read(path: Path) -> _Note:
    return read(_Note, read_object(path), f"the note {path}", error=StorageError)

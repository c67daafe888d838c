"""The folder of a study: its definition, records, evaluations under way, and the lock of the sweep that runs in it."""

import uuid
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from analysis.records.record import RECORDS, JsonlStore, Record
from experiments.files import claim, held, make_folder
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

    def append(self, records: Iterable[Record]) -> None:
        """Write records, which are on the disk when this returns.

        Raises:
            StorageError: The disk does not take them, or somebody removed the folder.
        """
        self._check_there()
        self.records.append_many(records)

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
        folder = self.path / TRIALS / trial.key.folder
        old = self.path / TRIALS / trial.candidate.fingerprint
        if (old / _TRIAL).exists():
            # Begun by version 0.1, where a run folder knew one fidelity and one seed.
            folder = old
        make_folder(folder)
        write_json(folder / _TRIAL, {"trial": trial.number, "labels": dict(trial.labels), "origin": trial.origin})
        return folder

    def begun(self) -> list[EnqueuedTrial]:
        """Every evaluation that was ever begun, in the order of their numbers.

        Raises:
            StorageError: A note cannot be read.
        """
        notes = [_read(path) for path in (self.path / TRIALS).glob(f"*/{_TRIAL}")]
        trials = [EnqueuedTrial(number=note.trial, labels=note.labels, origin=note.origin) for note in notes]
        return sorted(trials, key=lambda trial: trial.number or 0)


def _read(path: Path) -> _Note:
    return read(_Note, read_object(path), f"the note {path}", error=StorageError)

"""The folder of a study: its definition, records, evaluations under way, and the lock of the sweep that runs in it."""

import fcntl
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from analysis.records.record import JsonlStore
from experiments.training.outcome import write_json
from experiments.trials.trial import EnqueuedTrial, Trial
from topformer.errors import StorageError, StudyError

SCHEMA = 1
"""Version of `study.json`; another one is refused."""
STUDY = "study.json"
RECORDS = "records.jsonl"
TRIALS = "trials"
LOGS = "logs"
_LOCK = ".lock"
_TRIAL = "trial.json"


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
            StudyError: It belongs to another study, or another sweep runs in it.
            StorageError: The disk does not give or take it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path / _LOCK)
        except OSError as error:
            raise StorageError(f"cannot make the run folder {self.path}: {error.strerror or error}") from error
        try:
            self.run = self._claim()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()

    def begin(self, trial: Trial) -> Path:
        """Note on disk that an evaluation begins, so that a killed run takes it up again; gives its folder.

        Raises:
            StorageError: The disk does not take it.
        """
        folder = self.path / TRIALS / trial.key.folder
        old = self.path / TRIALS / trial.candidate.fingerprint
        if (old / _TRIAL).exists():
            # Begun by version 0.1, where a run folder knew one fidelity and one seed.
            folder = old
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {folder}: {error.strerror or error}") from error
        write_json(folder / _TRIAL, {"trial": trial.number, "labels": dict(trial.labels), "origin": trial.origin})
        return folder

    def begun(self) -> list[EnqueuedTrial]:
        """Every evaluation that was ever begun, in the order of their numbers.

        Raises:
            StorageError: A note cannot be read.
        """
        notes = [_read(path) for path in (self.path / TRIALS).glob(f"*/{_TRIAL}")]
        trials = [EnqueuedTrial(number=note["trial"], labels=note["labels"], origin=note["origin"]) for note in notes]
        return sorted(trials, key=lambda trial: trial.number or 0)

    def _claim(self) -> str:
        """Write the description, or compare it with the one that is there."""
        path = self.path / STUDY
        if not path.exists():
            if (self.path / RECORDS).exists():
                raise StudyError(
                    f"{self.path} holds {RECORDS} but no {STUDY}: it cannot be told whose records they are"
                )
            run = uuid.uuid4().hex[:8]
            write_json(path, {**self._description, "run": run})
            return run
        stored = _read(path)
        # Through JSON, so that a tuple equals the list it is stored as.
        wanted = json.loads(json.dumps(self._description))
        for name, value in wanted.items():
            if name != "identity" and stored.get(name) != value:
                raise StudyError(f"{self.path} holds another study: {_difference(name, stored.get(name), value)}")
        return str(stored.get("run", ""))


def _locked(path: Path) -> IO[str]:
    """An open file that no other process holds; the system lets go of it when the process ends in any way."""
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise StudyError(f"another sweep runs in {path.parent} (process {holder})") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _difference(name: str, stored: object, wanted: object) -> str:
    """The innermost key at which two values differ, and both."""
    while isinstance(stored, dict) and isinstance(wanted, dict):
        key = next(key for key in {**wanted, **stored} if stored.get(key) != wanted.get(key))
        name, stored, wanted = f"{name}.{key}", stored.get(key), wanted.get(key)
    return f"{name} is {json.dumps(stored)} there and {json.dumps(wanted)} here"


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="ascii"))
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise StorageError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise StorageError(f"{path} must hold a JSON object, got {value!r}")
    return value

"""Folders of results: whose they are, and that one process at a time writes into them."""

import fcntl
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from topformer.errors import StorageError, StudyError
from topformer.files import read_object, remove_unfinished, write_json

LOCK = ".lock"
"""File of a folder that the process that writes there holds."""


@contextmanager
def claimed(
    folder: Path,
    note: str,
    wanted: Mapping[str, Any],
    *,
    holds: str,
    once: Mapping[str, Any] | None = None,
    besides: Collection[str] = (),
) -> Iterator[dict[str, Any]]:
    """Hold a folder for what `wanted` describes while the block runs.

    Args:
        folder: The folder; it is made where there is none.
        note: Name of the JSON file in it that says what it holds.
        wanted: What it must hold, as plain JSON; `identity` and other keys of the note may say more.
        holds: What that is in a word, such as `study`.
        once: What a new note says in addition.
        besides: Names that may be in a folder without a note.

    Yields:
        The content of the note.

    Raises:
        StudyError: The folder holds something else, or another process writes there.
        StorageError: The disk does not give or take it.
    """
    with held(folder, holds):
        yield claim(folder, note, wanted, holds=holds, once=once, besides=besides)


@contextmanager
def held(folder: Path, holds: str) -> Iterator[None]:
    """Make a folder and hold it alone while the block runs; the system lets go when the process ends in any way.

    Args:
        folder: The folder.
        holds: What it is held for, such as `sweep`.

    Raises:
        StudyError: Another process holds it; the message names it.
        StorageError: The folder cannot be made.
    """
    make_folder(folder)
    path = folder / LOCK
    is_new = not path.exists()
    with _locked(path, holds):
        try:
            yield
        except StudyError:
            # A folder that is refused stays as it was.
            if is_new:
                path.unlink(missing_ok=True)
            raise


def is_held(folder: Path) -> bool:
    """Whether a living process of this machine holds a folder; asking does not disturb it."""
    try:
        holder = int((folder / LOCK).read_text("ascii"))
        os.kill(holder, 0)
    except PermissionError:  # it lives, as somebody else's
        return True
    except (OSError, ValueError):
        return False
    return True


def claim(
    folder: Path,
    note: str,
    wanted: Mapping[str, Any],
    *,
    holds: str,
    once: Mapping[str, Any] | None = None,
    besides: Collection[str] = (),
) -> dict[str, Any]:
    """What `claimed` does for a process that holds the folder, or shares it with processes that wait for it.

    What killed writers left behind is removed.
    """
    make_folder(folder)
    remove_unfinished(folder)
    path = folder / note
    if path.exists():
        found = read_object(path)
        # Through JSON, so that a tuple equals the list it is stored as.
        differing = difference(found, json.loads(json.dumps(wanted)))
        if differing:
            raise StudyError(f"{folder} holds another {holds}: {differing}; choose another --out")
        return found
    strangers = sorted(item.name for item in folder.iterdir() if item.name not in {LOCK, *besides})
    if strangers:
        raise StudyError(
            f"{folder} holds {strangers[0]} but no {note}: it cannot be told whose it is; choose another --out"
        )
    found = {**wanted, **(once or {})}
    write_json(path, found)
    return found


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        StorageError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {folder}: {error.strerror or error}") from error


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The innermost key at which two descriptions differ, and both values; empty where they agree.

    The key `identity`, a digest of the others, says nothing to a reader.
    """
    for name, value in wanted.items():
        if name != "identity" and found.get(name) != value:
            return _innermost(name, found.get(name), value)
    return ""


def _innermost(name: str, found: object, wanted: object) -> str:
    while isinstance(found, dict) and isinstance(wanted, dict):
        key = next(key for key in {**wanted, **found} if found.get(key) != wanted.get(key))
        name, found, wanted = f"{name}.{key}", found.get(key), wanted.get(key)
    return f"{name} is {json.dumps(found)} there and {json.dumps(wanted)} here"


def _locked(path: Path, holds: str) -> IO[str]:
    try:
        lock = path.open("a+", encoding="ascii")
    except OSError as error:
        raise StorageError(f"cannot write into {path.parent}: {error.strerror or error}") from error
    try:
        # A lock of this process alone: flock's would live on in children that load data, seconds after a kill.
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise StudyError(f"another {holds} runs in {path.parent} (process {holder})") from None
    if not path.exists() or not os.path.samestat(path.stat(), os.fstat(lock.fileno())):
        # Its holder has removed the file since it was opened.
        lock.close()
        return _locked(path, holds)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock

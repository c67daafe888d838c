"""The fence of an evaluation's folder: of two workers that believe it to be theirs, the later attempt goes on.

A worker that a driver has lost, on a machine that cannot be reached, may still run and write checkpoints. The driver
waits until it is known to be dead; should it live on all the same, the number in the folder ends it.
"""

from pathlib import Path

from topformer.errors import MachineError
from topformer.files import read_object, replacing
from topformer.kinds import is_integer

ATTEMPT = "attempt.json"
"""File of an evaluation's folder: the number of the attempt that may write there."""


def begin_attempt(folder: Path) -> int:
    """Make an attempt the one that may write into a folder; gives its number.

    Raises:
        StorageError: The file cannot be read or written.
    """
    return raise_attempt(folder, current_attempt(folder) + 1)


def raise_attempt(folder: Path, number: int) -> int:
    """Make the attempt of that number the one that may write into a folder, unless a later one is; gives the number.

    Raises:
        StorageError: The file cannot be read or written.
    """
    if current_attempt(folder) >= number:
        return number
    with replacing(folder / ATTEMPT, durable=False) as fresh:
        fresh.write_text(f'{{"attempt": {number}}}\n', encoding="ascii")
    return number


def check_attempt(folder: Path, number: int) -> None:
    """An attempt is still the one that may write into a folder.

    Raises:
        MachineError: A later one has begun.
    """
    if (current := current_attempt(folder)) > number:
        raise MachineError(f"attempt {current} has begun in {folder}, so that attempt {number} stops")


def current_attempt(folder: Path) -> int:
    """The number of the attempt that may write into a folder; 0 where it notes none."""
    path = folder / ATTEMPT
    if not path.exists():
        return 0
    number = read_object(path).get("attempt")
    return number if is_integer(number) else 0

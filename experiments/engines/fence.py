"""A fence around the folder of an evaluation: of two workers that were given it, the earlier one stops."""

import time
from pathlib import Path

from topformer.errors import MachineError, StorageError
from topformer.files import read_object
from topformer.kinds import is_integer

NOTE = "trial.json"
"""File of the folder that says which trial it is, and how often somebody has taken it up."""
ATTEMPT = "attempt"
_SECONDS = 1.0
"""Between two looks at the note."""


class Fence:
    """What a worker asks while it evaluates."""

    def __init__(self, folder: Path, attempt: int) -> None:
        """Nothing is read yet.

        Args:
            folder: Where the checkpoints are.
            attempt: The worker's; 0 where nobody else can have the folder.
        """
        self._folder, self._attempt = folder, attempt
        self._next = 0.0

    def check(self) -> None:
        """Go on; the note is read once a second at most.

        Raises:
            MachineError: Another worker has taken up the evaluation: two that write into one folder would spoil it.
        """
        if not self._attempt or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _SECONDS
        found = attempt_of(self._folder)
        if found > self._attempt:
            raise MachineError(
                f"another worker has taken up this evaluation: attempt {found} there, {self._attempt} here"
            )


def attempt_of(folder: Path) -> int:
    """The attempt that a folder notes; 0 where it notes none."""
    try:
        found = read_object(folder / NOTE).get(ATTEMPT, 0)
    except StorageError:
        return 0
    return found if is_integer(found) else 0

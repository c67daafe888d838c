"""Where the records of a run become safe, and what is heard there of others who work on the same study."""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from analysis.records.record import Key, Record
from experiments.trials.trial import Trial


class Ledger(Protocol):
    """What the loop writes into: a run folder, or one that is shared with other drivers."""

    @property
    def waits(self) -> bool:
        """Whether others evaluate what may come back to this run, which stays until it knows."""
        ...

    def look(self) -> bool:
        """Take note of what others did, if it is time; whether there was anything. Called every second or so.

        Raises:
            StorageError: What is shared does not answer.
        """
        ...

    def begin(self, trial: Trial) -> Path:
        """Note that an evaluation begins; gives the folder of its checkpoints.

        Raises:
            StorageError: The disk does not take it.
        """
        ...

    def append(self, records: Collection[Record]) -> Collection[Key]:
        """Write records, which are safe when this returns; those that count. Another driver may have taken over others.

        Raises:
            StorageError: The disk does not take them.
        """
        ...

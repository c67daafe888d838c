"""Who is told how a run goes."""

from typing import Protocol

from analysis.records.record import Record
from experiments.trials.trial import Standing, Trial


class TrialCallback(Protocol):
    """Told how a run of trials goes; it cannot change anything."""

    def note(self, text: str) -> None:
        """Something happened that the user should know."""
        ...

    def status(self, standing: Standing) -> None:
        """The counts, at the start and whenever records were added."""
        ...

    def iterations(self, trial: Trial, done: int, total: int) -> None:
        """An evaluation has begun, or come this far."""
        ...

    def recorded(self, record: Record) -> None:
        """An evaluation has ended, and its record is safe; after `status`. Pruned trials are only counted."""
        ...

    def dropped(self, trial: Trial) -> None:
        """An evaluation has ended, but does not count: another driver has taken it over."""
        ...


class NullCallback:
    """Tells nobody."""

    def note(self, text: str) -> None:
        """Nothing."""

    def status(self, standing: Standing) -> None:
        """Nothing."""

    def iterations(self, trial: Trial, done: int, total: int) -> None:
        """Nothing."""

    def recorded(self, record: Record) -> None:
        """Nothing."""

    def dropped(self, trial: Trial) -> None:
        """Nothing."""

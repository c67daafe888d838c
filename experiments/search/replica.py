"""The copy of the finished trials that dashboards read, and what is asked for there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from experiments.search.searcher import Observation
from search_space.spaces.space import Space


@dataclass(frozen=True, slots=True)
class Request:
    """A design that somebody enqueued in the storage.

    Attributes:
        number: Its number there.
        labels: Axis name to label.
        trial: The number of the trial that it became, if it has.
    """

    number: int
    labels: Mapping[str, str]
    trial: int | None = None


class Replica(Protocol):
    """A copy of the finished trials for dashboards; see `StorageReplica`."""

    def add(self, observations: Sequence[Observation]) -> None:
        """Copy finished trials."""
        ...

    def requests(self, space: Space, note: Callable[[str], None]) -> list[Request]:
        """What others enqueued there since the last call."""
        ...

    def unfinished(self) -> list[Request]:
        """Requests that an earlier process took and did not end."""
        ...

    def accept(self, number: int, trial: int) -> None:
        """A request became the trial of that number."""
        ...

    def decline(self, number: int) -> None:
        """A request is not tried."""
        ...

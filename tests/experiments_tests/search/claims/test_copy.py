"""The copy for dashboards and its keeper: a copy that cannot be kept ends no run, and is completed later."""

from collections.abc import Iterator, Sequence

import pytest

from analysis.records.record import State
from experiments.search.claims.copy import SharedReplica
from experiments.search.replica import Request
from experiments.search.searcher import Observation
from search_space.spaces.space import space
from topformer.errors import StorageError

KNOWN = [Observation(trial=number, state=State.COMPLETE, labels={}, values=(1.0,)) for number in range(30)]


class Held:
    """Claims of a driver that is alone."""

    held = False

    def hold(self, _task: str) -> bool:
        self.held = True
        return True

    def holds(self, _task: str) -> bool:
        return self.held

    def let_go(self, _task: str) -> None:
        self.held = False


class Copy:
    """A copy whose database goes away while it takes the second portion, as often as is said."""

    failures = 0

    def __init__(self) -> None:
        self.copied: list[int] = []
        self.is_open = True

    def missing(self, observations: Sequence[Observation]) -> list[Observation]:
        return [one for one in observations if one.trial not in self.copied]

    def add(self, observations: Sequence[Observation]) -> None:
        assert self.is_open
        if self.copied and Copy.failures:
            Copy.failures -= 1
            raise StorageError("the server closed the connection")
        self.copied += [one.trial for one in observations]

    def unfinished(self) -> list[Request]:
        assert self.is_open
        return [Request(7, {"width": "64"}, None)]

    def requests(self, _space: object, _note: object) -> list[Request]:
        return []

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Copy]]:
    monkeypatch.setattr("experiments.search.claims.copy.TURN_SECONDS", 0.0)
    yield []
    Copy.failures = 0


def keep(copies: list[Copy], notes: list[str]) -> tuple[SharedReplica, Held]:
    def reach() -> Copy:
        copies.append(Copy())
        return copies[-1]

    held = Held()
    kept = SharedReplica(
        held,  # type: ignore[arg-type]
        reach,  # type: ignore[arg-type]
        history=lambda: KNOWN,
        renew=lambda: None,
        note=notes.append,
    )
    return kept, held


def test_a_copy_whose_database_goes_away_while_it_is_taken_over_is_said_and_completed_later(copies: list[Copy]) -> None:
    Copy.failures = 1
    notes: list[str] = []
    kept, held = keep(copies, notes)
    assert notes == ["the copy for dashboards is behind, and completed later: the server closed the connection"]
    assert (copies[0].is_open, held.held) == (False, False)
    kept.take_turn()
    assert sorted(copies[1].copied) == list(range(30))
    assert held.held
    # What an earlier keeper took and did not begin comes once, from the copy that is kept.
    wanted = space("paper", base="nano", height=64, width=64)
    assert [one.number for one in kept.requests(wanted, notes.append)] == [7]
    assert kept.requests(wanted, notes.append) == []

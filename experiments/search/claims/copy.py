"""The copy for dashboards where several drivers share a study: one of them at a time keeps it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from experiments.search.claims.claims import Claims
from experiments.search.replica import Request
from experiments.search.searcher import Observation
from experiments.search.storage import StorageReplica
from search_space.spaces.space import Space
from topformer.errors import StorageError

TASK = "copy"
"""Name of the claim that its keeper holds."""
TURN_SECONDS = 5.0
"""Between two tries to become its keeper."""
_PORTION = 20
"""Trials that are copied between two renewals; a database takes some 20 ms for each."""


class SharedReplica:
    """A `Replica` that does nothing in every driver but its keeper, and passes to another one when that is gone.

    It ends no run: where it cannot be kept, that is said, and it is tried again and completed from the records.
    """

    def __init__(
        self,
        claims: Claims,
        reach: Callable[[], StorageReplica],
        *,
        history: Callable[[], Sequence[Observation]],
        renew: Callable[[], None],
        note: Callable[[str], None],
    ) -> None:
        """Become the keeper if there is none.

        Args:
            claims: Of this driver.
            reach: Opens the copy; called by the keeper only.
            history: All that is known, when the copy is taken over.
            renew: Renews the claims if it is time; called between two portions, because a copy takes its time.
            note: Told where the copy cannot be kept.

        Raises:
            StorageError: The claims' database does not answer.
        """
        self._claims, self._reach, self._history, self._renew, self._note = claims, reach, history, renew, note
        self._kept: StorageReplica | None = None
        self._left: list[Request] = []
        self._turn_at = 0.0
        self._is_said = False
        self.take_turn()

    def take_turn(self) -> None:
        """Find out whether this driver is the keeper, or may become it.

        Raises:
            StorageError: The claims' database does not answer.
        """
        if self._kept is not None and not self._claims.holds(TASK):
            self.close()
        if self._kept is not None or time.monotonic() < self._turn_at:
            return
        self._turn_at = time.monotonic() + TURN_SECONDS
        if self._claims.hold(TASK):
            with self._giving_up():
                self._kept = self._reach()
                self.add(self._kept.missing(self._history()))
                # It may have been given up on the way.
                if self._kept is not None:
                    self._take_over(self._kept)

    def _take_over(self, replica: StorageReplica) -> None:
        for request in replica.unfinished():
            if request.trial is None:
                self._left.append(request)
            else:
                # It has a claim, and ends with that.
                replica.accept(request.number, request.trial)

    def add(self, observations: Sequence[Observation]) -> None:
        """Copy finished trials, as long as this driver is the keeper."""
        for start in range(0, len(observations), _PORTION):
            with self._giving_up():
                if self._kept is not None and self._claims.holds(TASK):
                    self._kept.add(observations[start : start + _PORTION])
            self._renew()

    def requests(self, space: Space, note: Callable[[str], None]) -> list[Request]:
        """What others enqueued there, or an earlier keeper took and did not begin."""
        left, self._left = self._left, []
        with self._giving_up():
            if self._kept is not None:
                left += self._kept.requests(space, note)
        return left

    def unfinished(self) -> list[Request]:
        """None: what an earlier keeper began has a claim, which says who goes on with it."""
        return []

    def accept(self, number: int, trial: int) -> None:
        """A request became the trial of that number."""
        with self._giving_up():
            if self._kept is not None:
                self._kept.accept(number, trial)

    def decline(self, number: int) -> None:
        """A request is not tried."""
        with self._giving_up():
            if self._kept is not None:
                self._kept.decline(number)

    def close(self) -> None:
        """Keep it no longer."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            if not self._is_said:
                self._note(f"the copy for dashboards is behind, and completed later: {error}")
                self._is_said = True
            self.close()
            self._claims.let_go(TASK)

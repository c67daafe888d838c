"""The clock of the database, by which leases end: that it was set while drivers relied on it is noticed and said."""

import time
from collections.abc import Callable


class ServerClock:
    """Compares what a server's clock says with how much time passes here."""

    def __init__(self, note: Callable[[str], None], *, tolerance: float) -> None:
        """Nothing is known before the first look.

        Args:
            note: Told of a jump.
            tolerance: Seconds by which the two may come apart between two looks.
        """
        self._note, self._tolerance = note, tolerance
        self._offset: float | None = None

    def saw(self, now: float) -> None:
        """The server's clock says so at this moment.

        Args:
            now: Seconds since 1970.
        """
        before, self._offset = self._offset, now - time.monotonic()
        if before is not None and abs(jump := self._offset - before) > self._tolerance:
            # Which of the two it was cannot be told: a machine that sleeps does not count the time.
            self._note(
                f"the clock of the storage has jumped by {jump:+,.0f} s, or this machine slept: leases end by that "
                "clock, so that designs may change their driver early or late; none of them counts twice"
            )

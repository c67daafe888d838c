"""How long a worker may give no news: a multiple of its own pace."""

import time

LEAST_SECONDS = 300.0
"""Silence that is never too long: data are loaded, a network is compiled, a split is scored."""
FACTOR = 20.0
"""Times the longest silence so far of the same evaluation."""


class Silence:
    """The silence of one worker."""

    def __init__(self, *, least: float = LEAST_SECONDS, factor: float = FACTOR) -> None:
        """Nothing is awaited before `begin`.

        Args:
            least: Seconds that are never too long.
            factor: Times the longest silence between two news of an evaluation, where that is more.
        """
        self._least, self._factor = least, factor
        self.begin()

    def begin(self) -> None:
        """An evaluation begins."""
        self._since, self._longest = time.monotonic(), 0.0

    def heard(self) -> None:
        """There are news."""
        now = time.monotonic()
        self._longest = max(self._longest, now - self._since)
        self._since = now

    def excuse(self) -> None:
        """There are none, but the worker computes; its pace is not known by that."""
        self._since = time.monotonic()

    @property
    def limit(self) -> float:
        """Seconds of silence after which it is too long."""
        return max(self._least, self._factor * self._longest)

    @property
    def is_too_long(self) -> bool:
        """Whether it is."""
        return time.monotonic() - self._since > self.limit

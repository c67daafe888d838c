"""How an ablation goes, on a terminal as bars that change, elsewhere as plain lines."""

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from analysis.records.record import Record, State

_LINE_SECONDS = 60
"""Seconds between two plain lines about updates."""


class Listener(Protocol):
    """Who is told how an ablation goes."""

    def begin(self, runs: int, updates: int) -> None:
        """So many runs of so many updates each are to come."""
        ...

    def updates(self, key: str, done: int, total: int) -> None:
        """A run has come this far."""
        ...

    def recorded(self, key: str, record: Record) -> None:
        """A run has ended."""
        ...

    def note(self, text: str) -> None:
        """Something happened that the user should know."""
        ...


class Silence:
    """A listener that tells nobody."""

    def begin(self, runs: int, updates: int) -> None:
        """Nothing."""

    def updates(self, key: str, done: int, total: int) -> None:
        """Nothing."""

    def recorded(self, key: str, record: Record) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class AblationProgress:
    """A listener that draws with rich; use it as a context manager around the ablation."""

    def __init__(self, console: Console) -> None:
        """Prepare the display: bars if the console is a terminal, else plain lines."""
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._done: dict[str, int] = {}
        self._runs = self._ended = self._updates = 0
        self._all: TaskID | None = None
        self._began = self._spoke = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in self._bars.values():
            self._progress.remove_task(bar)
        self._progress.stop()

    def begin(self, runs: int, updates: int) -> None:
        """Show how much there is to do."""
        self._runs, self._updates, self._began = runs, updates, time.monotonic()
        self._all = self._progress.add_task("updates", total=runs * updates)

    def updates(self, key: str, done: int, total: int) -> None:
        """Move the bar of a run."""
        if key not in self._bars:
            self._bars[key] = self._progress.add_task(f"  {key}", total=total)
        self._done[key] = done
        self._progress.update(self._bars[key], completed=done)
        self._draw()
        if not self._console.is_terminal and time.monotonic() - self._spoke >= _LINE_SECONDS:
            self._spoke = time.monotonic()
            self.note(f"{self._ended}/{self._runs} runs ended, {self._spent():,} updates done{self._time_left()}")

    def recorded(self, key: str, record: Record) -> None:
        """A line for a run that has ended."""
        self._ended += 1
        self._done[key] = self._updates
        if key in self._bars:
            self._progress.remove_task(self._bars.pop(key))
        where = record.details.get("ablation", {})
        what = f"{self._ended}/{self._runs} {where.get('table', '')} {where.get('row', '')!r} seed {record.seed}"
        if record.state is State.FAILED:
            self.note(f"{what} failed: {record.reason}")
        else:
            shown = ", ".join(f"{metric.value:.2f} {name}" for name, metric in record.metrics.items() if "@" in name)
            self.note(f"{what}: {shown}, {record.seconds:.0f} s{self._time_left()}")
        self._draw()

    def note(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _draw(self) -> None:
        if self._all is not None:
            self._progress.update(self._all, completed=self._spent())

    def _spent(self) -> int:
        return sum(self._done.values())

    def _time_left(self) -> str:
        spent, total = self._spent(), self._runs * self._updates
        if not 0 < spent < total:
            return ""
        return f", about {duration((time.monotonic() - self._began) / spent * (total - spent))} left"


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would use."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"

"""How a sweep goes, on a terminal as bars that change, elsewhere as plain lines."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from analysis.records.record import Record, State
from experiments.search.definition import StudyDefinition
from experiments.search.status import Status

_LINE_SECONDS = 30
"""Seconds between two plain lines about updates."""


class SweepProgress:
    """A listener of `run_sweep` that draws with rich; use it as a context manager around the sweep.

    The bar counts updates of trainings, done and asked for, because they are what takes time.
    """

    def __init__(self, definition: StudyDefinition, console: Console) -> None:
        """Prepare the display.

        Args:
            definition: The study.
            console: Where it is drawn: bars if it is a terminal, else plain lines.
        """
        self._trials, self._budget = definition.trials, definition.evaluator.budget
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._done: dict[str, int] = {}
        self._status: Status | None = None
        self._earlier: int | None = None
        self._began = time.monotonic()
        self._spoke = 0.0
        self._progress = _Display(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        self._total = self._progress.add_task("updates", total=self._trials * self._budget)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in self._bars.values():
            self._progress.remove_task(bar)
        self._progress.stop()

    def note(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def status(self, status: Status) -> None:
        """Take the counts."""
        self._status = status
        if self._earlier is None:
            self._earlier = status.complete
            self._began = time.monotonic()
        self._draw()

    def recorded(self, record: Record) -> None:
        """A line for an evaluation that has ended."""
        bar = self._bars.pop(record.fingerprint, None)
        self._done.pop(record.fingerprint, None)
        if bar is not None:
            self._progress.remove_task(bar)
        self.note(record_line(record))
        if not self._console.is_terminal and self._status is not None:
            self.note(f"{status_line(self._status)}{self._time_left()}")
        self._draw()

    def updates(self, fingerprint: str, done: int, total: int) -> None:
        """Move the bar of an evaluation."""
        if fingerprint not in self._bars:
            self._bars[fingerprint] = self._progress.add_task(f"  {fingerprint}", total=total)
        self._done[fingerprint] = done
        self._progress.update(self._bars[fingerprint], completed=done)
        self._draw()
        if not self._console.is_terminal and time.monotonic() - self._spoke >= _LINE_SECONDS:
            self._spoke = time.monotonic()
            running = ", ".join(f"{name} {count:,}/{total:,}" for name, count in self._done.items())
            self.note(f"training {running}{self._time_left()}")

    def _draw(self) -> None:
        if self._status is not None:
            self._progress.headline = f"{status_line(self._status)}{self._time_left()}"
            self._progress.update(self._total, completed=self._spent())

    def _spent(self) -> int:
        """Updates of the evaluated designs and of those under way."""
        complete = self._status.complete if self._status is not None else 0
        return complete * self._budget + sum(self._done.values())

    def _time_left(self) -> str:
        """An estimate from the updates of this run; empty until there are some."""
        fresh = self._spent() - (self._earlier or 0) * self._budget
        left = self._trials * self._budget - self._spent()
        if fresh <= 0 or left <= 0:
            return ""
        return f", about {_duration((time.monotonic() - self._began) / fresh * left)} left"


class _Display(Progress):
    """Bars below a line of text."""

    headline = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The line, and the bars."""
        yield Text(self.headline, no_wrap=True, overflow="ellipsis")
        yield self.make_tasks_table(self.tasks)


def status_line(status: Status) -> str:
    """The counts of a sweep in one line."""
    parts = [f"{status.complete}/{status.trials} evaluated", f"{status.pruned:,} pruned"]
    if status.failed:
        parts.append(f"{status.failed} failed")
    if status.best is not None:
        best = status.best.metrics[status.objective].value
        parts += [
            f"best {best:.4g} {status.objective}",
            f"front {len(status.front)}",
            f"hypervolume {status.hypervolume:.4g}",
        ]
    return ", ".join(parts)


def record_line(record: Record) -> str:
    """One evaluation in one line: what it was, and what became of it."""
    what = f"trial {record.trial} {record.fingerprint} ({record.origin})"
    if record.state is State.FAILED:
        return f"{what} failed: {record.reason}"
    shown = [(name, metric) for name, metric in record.metrics.items() if "@" in name]
    numbers = ", ".join(f"{metric.value:.4g} {name}" for name, metric in shown)
    return f"{what}: {numbers}, {_duration(record.seconds)}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"

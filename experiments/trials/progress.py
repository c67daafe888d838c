"""How a run of trials goes, on a terminal as bars that change, elsewhere as plain lines."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from analysis.records.fidelity import Fidelity
from analysis.records.record import Key, Record, State
from experiments.trials.trial import Standing, Trial

_LINE_SECONDS = 30
"""Seconds between two plain lines about iterations."""
_WATCHED_SECONDS = 20
"""Seconds of iterations that an estimate needs: the first of a process are slower, and few say little."""


class TrialProgress:
    """A `TrialCallback` that draws with rich; use it as a context manager around the run.

    The bar counts iterations of trainings, done and asked for, because they are what takes time.
    """

    def __init__(self, console: Console) -> None:
        """Prepare the display: bars if the console is a terminal, else plain lines."""
        self._console = console
        self._bars: dict[Key, TaskID] = {}
        self._done: dict[Key, tuple[int, int]] = {}
        self._standing = Standing(spent=0, total=0, text="")
        self._all: TaskID | None = None
        self._paces: set[Fidelity] = set()
        self._is_timed = True
        self._earlier: int | None = None
        self._began = self._spoke = time.monotonic()
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

    def status(self, standing: Standing) -> None:
        """Take the counts; the first ones are where this process begins."""
        self._standing = standing
        if self._all is None:
            self._all = self._progress.add_task("iterations", total=standing.total)
            self._spoke = time.monotonic()
        self._draw()

    def iterations(self, trial: Trial, done: int, total: int) -> None:
        """Move the bar of an evaluation."""
        key = trial.key
        if key not in self._bars:
            self._bars[key] = self._progress.add_task(f"  {_name(key)}", total=total)
        self._done[key] = (done, total)
        if trial.fidelity not in self._paces:
            # From here on: loading torch and the data is no part of what is left, and a rung has a pace of its own.
            self._paces.add(trial.fidelity)
            self._earlier, self._began = self._spent(), time.monotonic()
            self._is_timed = trial.fidelity.budget > 0
        self._progress.update(self._bars[key], completed=done)
        self._draw()
        if not self._console.is_terminal and time.monotonic() - self._spoke >= _LINE_SECONDS:
            self._spoke = time.monotonic()
            counted = {key: f" {done:,}/{total:,}" if total else "" for key, (done, total) in self._done.items()}
            what = "training" if any(counted.values()) else "evaluating"
            running = ", ".join(f"{_name(key)}{text}" for key, text in counted.items())
            self.note(f"{what} {running}{self._time_left()}")

    def recorded(self, record: Record) -> None:
        """A line for an evaluation that has ended."""
        self._end(record.key)
        self.note(record_line(record))
        if not self._console.is_terminal:
            self.note(f"{self._standing.text}{self._time_left()}")
        self._draw()

    def dropped(self, trial: Trial) -> None:
        """A line for an evaluation that another driver has taken over."""
        self._end(trial.key)
        self.note(f"trial {trial.number} {trial.candidate.fingerprint}: another driver has taken it over")

    def _end(self, key: Key) -> None:
        self._done.pop(key, None)
        if (bar := self._bars.pop(key, None)) is not None:
            self._progress.remove_task(bar)

    def _draw(self) -> None:
        self._progress.headline = f"{self._standing.text}{self._time_left()}"
        if self._all is not None:
            self._progress.update(self._all, completed=self._spent())

    def _spent(self) -> int:
        """Iterations of the evaluated designs and of those under way."""
        return self._standing.spent + sum(done for done, _ in self._done.values())

    def _time_left(self) -> str:
        """An estimate from the iterations of this process; empty until they were watched for a while.

        What trains nothing has no iterations, and says nothing of those that are left.
        """
        if self._earlier is None or not self._is_timed:
            return ""
        fresh, left = self._spent() - self._earlier, self._standing.total - self._spent()
        watched = time.monotonic() - self._began
        if fresh <= 0 or left <= 0 or watched < _WATCHED_SECONDS:
            return ""
        return f", about {duration(watched / fresh * left)} left"


class _Display(Progress):
    """Bars below a line of text."""

    headline = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The line, and the bars."""
        yield Text(self.headline, no_wrap=True, overflow="ellipsis")
        yield self.make_tasks_table(self.tasks)


def record_line(record: Record) -> str:
    """One evaluation in one line: what it was, and what became of it."""
    row = record.details.get("ablation")
    what = f"trial {record.trial} {record.fingerprint} ({record.origin})"
    if row is not None:
        what = f"{row['table']} {row['row']!r} seed {record.seed}"
    if record.state is State.FAILED:
        return f"{what} failed: {record.reason}"
    shown = [(name, metric) for name, metric in record.metrics.items() if "@" in name]
    numbers = ", ".join(f"{metric.value:.4g} {name}" for name, metric in shown)
    return f"{what}: {numbers}, {duration(record.seconds)}"


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would use."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _name(key: Key) -> str:
    return f"{key.fingerprint} seed {key.seed}"

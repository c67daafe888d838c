"""The door to the terminal for commands: the bar of a long one, and lines and tables that fit the window."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from analysis.reports.text_table import TextTable
    from experiments.training.outcome import Progress

LINE_SECONDS = 60
"""Seconds between two plain lines about the steps of a long command."""
LEAST_WIDTH = 60
"""Characters of a terminal below which tables are no longer narrowed."""


def announce(text: str) -> None:
    """A line on the error stream at once: what a command that takes a while is about to do."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def bar(counted: str, *, hidden: bool = False) -> Iterator["Progress"]:
    """A bar on the error stream while the block runs; a line a minute where that is no terminal.

    Args:
        counted: What the steps are, in the plural.
        hidden: Whether to show nothing.

    Yields:
        What takes the steps done and all of them.
    """
    from rich.console import Console
    from rich.progress import Progress as Shown

    console = Console(stderr=True)
    if not hidden and not console.is_terminal:
        yield _lines(counted)
        return
    with Shown(console=console, transient=True, disable=hidden) as shown:
        task = shown.add_task(counted, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _lines(counted: str) -> "Progress":
    """Says the steps on the error stream, once a minute."""
    spoke = time.monotonic()

    def say(done: int, total: int) -> None:
        nonlocal spoke
        if time.monotonic() - spoke >= LINE_SECONDS:
            spoke = time.monotonic()
            announce(f"{counted}: {done:,} of {total:,}")

    return say


def console(*, stderr: bool = False) -> "Console":
    """The output or the error stream of this process, with its width and colours."""
    from rich.console import Console

    return Console(stderr=stderr)


def show_lines(target: "Console", lines: Iterable[str], *, style: str | None = None) -> None:
    """Lines as they are: nothing in them is taken for markup, and long ones are left to the terminal to wrap."""
    for line in lines:
        target.print(line, highlight=False, markup=False, style=style, soft_wrap=True)


def show_table(target: "Console", table: "TextTable") -> None:
    """A table with its title; one that is wider than the terminal is set as several, each with the labels."""
    from analysis.reports.text_table import plain

    show_lines(target, [plain(table, width=table_width(target))])


def table_width(target: "Console") -> int:
    """Characters that a table may take there."""
    return max(target.width, LEAST_WIDTH)

"""The door to the terminal for commands: the bar of a long one, and lines and tables that fit the window."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from analysis.reports.text_table import TextTable
    from experiments.training.outcome import Progress


@contextmanager
def bar(counted: str, *, hidden: bool = False) -> Iterator["Progress"]:
    """A bar on the error stream, if that is a terminal, while the block runs.

    Args:
        counted: What the steps are, in the plural.
        hidden: Whether to show nothing.

    Yields:
        What takes the steps done and all of them.
    """
    from rich.console import Console
    from rich.progress import Progress as Shown

    console = Console(stderr=True)
    with Shown(console=console, transient=True, disable=hidden or not console.is_terminal) as shown:
        task = shown.add_task(counted, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def console(*, stderr: bool = False) -> "Console":
    """The output or the error stream of this process, with its width and colours."""
    from rich.console import Console

    return Console(stderr=stderr)


def show_lines(target: "Console", lines: Iterable[str], *, style: str | None = None) -> None:
    """Lines as they are: nothing in them is taken for markup, and long ones are left to the terminal to wrap."""
    for line in lines:
        target.print(line, highlight=False, markup=False, style=style, soft_wrap=True)


def show_table(target: "Console", table: "TextTable") -> None:
    """A table with its title, the first column to the left and the others to the right."""
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(title=escape(table.title), title_justify="left", title_style="italic", box=None, pad_edge=False)
    for index, name in enumerate(table.header):
        drawn.add_column(escape(name), justify="left" if index == 0 else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(escape, row))
    target.print(drawn)

"""What commands show on a terminal beyond plain lines; rich is loaded when something is shown."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from experiments.evaluators.base import Progress


def console(*, errors: bool = False) -> "Console":
    """The terminal of the standard output, or of the error stream."""
    from rich.console import Console

    return Console(stderr=errors)


def drawn(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    """A table for a console: the first column left, numbers right, long cells folded."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", title_style="italic", box=None, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(escape(name), justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


@contextmanager
def bar(counted: str, *, hidden: bool = False) -> Iterator["Progress"]:
    """A bar on the error stream, if that is a terminal, while the block runs.

    Args:
        counted: What the steps are, in the plural.
        hidden: Whether to show nothing.

    Yields:
        What takes the steps done and all of them.
    """
    from rich.progress import Progress as Shown

    screen = console(errors=True)
    with Shown(console=screen, transient=True, disable=hidden or not screen.is_terminal) as shown:
        task = shown.add_task(counted, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)

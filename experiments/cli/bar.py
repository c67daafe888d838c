"""The bar that a long command shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.evaluators.base import Progress


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

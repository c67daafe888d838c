"""Choosers that need no searcher: a table of labels, and a recorder of what was asked; and draws without repeats."""

import random
from collections.abc import Mapping
from typing import Protocol

from topformer.errors import SpaceError


class Chooser(Protocol):
    """Whatever decides: Optuna, a seeded generator, or a table of labels."""

    def choose(self, name: str, labels: tuple[str, ...]) -> str:
        """One of `labels`, for the axis of that name."""
        ...


class DictChooser:
    """Answers from a table, such as the parameters of a finished trial."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = dict(labels)

    def choose(self, name: str, labels: tuple[str, ...]) -> str:
        """The label that the table holds for `name`.

        Raises:
            SpaceError: The table holds none.
        """
        if name not in self._labels:
            raise SpaceError(f"axis {name!r} has no label; accepted: {', '.join(labels)}")
        return self._labels[name]


class RecordingChooser:
    """Asks another chooser and remembers its answers.

    Attributes:
        labels: What was asked and answered, in order.
    """

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self.labels: dict[str, str] = {}

    def choose(self, name: str, labels: tuple[str, ...]) -> str:
        """The other chooser's label."""
        self.labels[name] = self._chooser.choose(name, labels)
        return self.labels[name]


def distinct_indices(total: int, amount: int, seed: int) -> list[int]:
    """`amount` different whole numbers below `total`, each set of them equally probable; `total` may be huge."""
    generator = random.Random(seed)  # noqa: S311 - designs are drawn, not secrets
    # `sample` takes no range of 2^63 numbers or more; below, a draw is repeated for at most every second number.
    if 2 * amount >= total:
        return generator.sample(range(total), amount)
    drawn: dict[int, None] = {}
    while len(drawn) < amount:
        drawn.setdefault(generator.randrange(total))
    return list(drawn)

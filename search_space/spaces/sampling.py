"""Choosers that need no searcher: a seeded generator, a table of labels, and a recorder of what was asked."""

import random
from collections.abc import Mapping

from search_space.axes.axis import Chooser
from topformer.errors import SpaceError


class RandomChooser:
    """Chooses every label with equal probability; the same seed gives the same choices."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - designs are drawn, not secrets

    def choose(self, name: str, labels: tuple[str, ...]) -> str:  # noqa: ARG002 - the name is part of the protocol
        """One of `labels`."""
        return self._random.choice(labels)


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


class Recorder:
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
    if 2 * amount >= total:
        return generator.sample(range(total), amount)
    drawn: dict[int, None] = {}
    while len(drawn) < amount:
        drawn.setdefault(generator.randrange(total))
    return list(drawn)

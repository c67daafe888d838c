"""Choosers for tests: a seeded generator, and a table that answers whether or not an axis applies."""

import random
from collections.abc import Mapping


class SeededChooser:
    """Chooses every label with equal probability; the same seed gives the same choices."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def choose(self, name: str, labels: tuple[str, ...]) -> str:
        return self._random.choice(labels)


class TableChooser:
    """Answers from a complete table."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels

    def choose(self, name: str, labels: tuple[str, ...]) -> str:
        return self._labels[name]

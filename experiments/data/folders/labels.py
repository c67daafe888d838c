"""What the values of a label file mean: a class, an ignored pixel, or an error."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.data.images import Pixels
from topformer.errors import DataError

IGNORED = 255
"""Number of an ignored pixel in training targets, and in labels whose class 0 is a class."""

MOST_CLASSES = 254
"""What one byte holds beside the labels 0 and 255."""


def numbered(classes: int) -> tuple[str, ...]:
    """Names for classes of which only the number is known."""
    return tuple(f"class-{k}" for k in range(classes))


@dataclass(frozen=True, slots=True)
class Labelling:
    """How a data set numbers its classes.

    Attributes:
        classes: How many there are.
        ignore: Label value that is ignored: 0, where class k is label k + 1, as in ADE20K; or 255, where class k is
            label k. A label of 255 is ignored in both.
    """

    classes: int
    ignore: int

    @property
    def first(self) -> int:
        """The label of the first class."""
        return 1 if self.ignore == 0 else 0

    @property
    def last(self) -> int:
        """The label of the last class."""
        return self.first + self.classes - 1

    def targets(self, stored: Pixels, path: Path) -> Pixels:
        """Labels as stored to class numbers 0 .. classes - 1, and 255 where ignored; any shape.

        Raises:
            DataError: A label is no class; the message names `path`.
        """
        if stored.max(initial=0) > self.last and (wrong := self.beyond(stored)):
            raise DataError(self.complaint(path, wrong))
        if self.first == 0:
            return stored
        return np.where(stored == IGNORED, np.uint8(IGNORED), stored - np.uint8(1))

    def beyond(self, stored: Pixels) -> list[int]:
        """The labels that no class has, in order."""
        found: list[int] = np.unique(stored[(stored > self.last) & (stored < IGNORED)]).tolist()
        return found

    def complaint(self, path: Path, wrong: list[int]) -> str:
        """The sentence about a file with labels that no class has."""
        return (
            f"{path} has label(s) {', '.join(map(str, wrong))}; accepted: 0 to {self.last}, and {IGNORED} for ignored"
        )

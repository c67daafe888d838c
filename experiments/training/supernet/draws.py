"""Which designs of a space one iteration of a supernet trains: the largest, the smallest, and some at random."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from random import Random
from typing import Self

from search_space.axes.axis import Axis
from search_space.cost.closed_form import cost
from search_space.spaces.space import Space
from topformer.design import Design
from topformer.errors import SpaceError

Labels = Mapping[str, str]
_Pick = Callable[..., str]


class FilledChooser:
    """Answers from a table where it can, else with equal probability for every label."""

    def __init__(self, labels: Labels, generator: Random) -> None:
        self._labels, self._random = labels, generator

    def choose(self, name: str, labels: tuple[str, ...]) -> str:
        """The table's label, or a random one."""
        return self._labels[name] if name in self._labels else self._random.choice(labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The designs of one iteration; the first learns from the labels, the others from the first as well."""

    largest: Design
    others: tuple[Design, ...]


@dataclass(frozen=True, slots=True)
class Draws:
    """Designs by seed and iteration.

    An axis whose choices are kinds of modules, such as the head's, has no largest: every combination of kinds has a
    largest and a smallest design, by parameters. Axes that change no parameter, such as the pooling stride, are drawn.

    Attributes:
        space: The space.
        largest: Labels of the largest design of each combination of kinds, without the axes that are drawn.
        smallest: The same of the smallest.
        random: Designs that an iteration draws from the whole space.
    """

    space: Space
    largest: tuple[Labels, ...]
    smallest: tuple[Labels, ...]
    random: int = 2

    @classmethod
    def of(cls, space: Space) -> Self:
        """The draws of a space.

        Raises:
            SpaceError: The space varies the size of the image, at which shared weights do different things.
        """
        for axis in (axis for axis in space.axes if axis.applies(space.base)):
            sizes = {(c.height, c.width) for c in (axis.apply(space.base, v) for v in axis.choices.values())}
            if len(sizes) > 1:
                raise SpaceError(
                    f"a supernet is trained at one input size, but axis {axis.name!r} varies it; keep one of its "
                    f"labels: {', '.join(axis.labels)}"
                )
        kinds = [axis for axis in space.axes if _is_kind(axis)]
        fixed = [
            dict(zip((axis.name for axis in kinds), labels, strict=True))
            for labels in product(*(axis.labels for axis in kinds))
        ]
        return cls(
            space, tuple(_extreme(space, one, max) for one in fixed), tuple(_extreme(space, one, min) for one in fixed)
        )

    def corners(self) -> list[Design]:
        """The largest design of every combination of kinds."""
        anything = Random(0)  # noqa: S311 - what is drawn has no parameters
        return [self._design(labels, anything) for labels in self.largest]

    def at(self, seed: int, iteration: int) -> Drawn:
        """The designs of an iteration: kinds of the largest and the smallest take turns."""
        generator = Random(f"{seed} {iteration}")  # noqa: S311 - designs are drawn, not secrets
        largest, smallest = (corners[iteration % len(corners)] for corners in (self.largest, self.smallest))
        others = [smallest, *({} for _ in range(self.random))]
        return Drawn(
            largest=self._design(largest, generator),
            others=tuple(self._design(labels, generator) for labels in others),
        )

    def _design(self, labels: Labels, generator: Random) -> Design:
        return self.space.suggest(FilledChooser(labels, generator)).design


def _is_kind(axis: Axis) -> bool:
    return all(isinstance(value, StrEnum) for value in axis.choices.values())


def _extreme(space: Space, fixed: Labels, pick: _Pick) -> Labels:
    """The labels with most or fewest parameters, axis by axis; those of axes without any are left out."""
    candidate, chosen = space.base, {}
    for axis in space.axes:
        if not axis.applies(candidate):
            continue
        if axis.name in fixed:
            label: str | None = fixed[axis.name]
        else:
            options = {
                name: cost(axis.apply(candidate, value).canonical()).parameters for name, value in axis.choices.items()
            }
            label = _picked(options, pick)
        if label is not None:
            chosen[axis.name] = label
            candidate = axis.apply(candidate, axis.value(label))
    return chosen


def _picked(parameters: Mapping[str, int], pick: _Pick) -> str | None:
    """The label with that many parameters, or None where all have as many."""
    amounts: Sequence[int] = list(parameters.values())
    return None if len(set(amounts)) == 1 < len(amounts) else pick(parameters, key=lambda name: parameters[name])

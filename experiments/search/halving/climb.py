"""The state of a ladder: which designs are on which rung, and what a free worker does next."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from experiments.search.halving.promotion import promotion_order

Point = tuple[float, ...]
"""What a design is judged by on a rung, smaller better in every place."""


@dataclass(frozen=True, slots=True)
class Move:
    """What comes next.

    Attributes:
        rung: Number of the rung, from 0.
        design: Who goes there; None on rung 0, where a new design is to be proposed.
    """

    rung: int
    design: str | None


@dataclass(slots=True)
class _Floor:
    """One rung.

    Attributes:
        wanted: How many designs it takes in all.
        begun: Designs that were sent there, in order.
        points: What it said of those that are complete.
    """

    wanted: int
    begun: dict[str, None] = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)


class Climb:
    """Who goes on, asynchronously: a free worker never waits for the others of a rung.

    The ladder is climbed in rounds, each with its share of every rung: first the round's designs are begun on the
    lowest rung, then the best of what is complete there go on, and so forth. Where a rung still runs when a worker is
    free, the best of what is known goes on. Several rounds let whoever proposes learn from the upper rungs.
    """

    def __init__(self, wanted: Sequence[int], *, rounds: int = 1, favoured: frozenset[str] = frozenset()) -> None:
        """Begin at the foot.

        Args:
            wanted: Designs on each rung in all, lowest rung first.
            rounds: Number of rounds.
            favoured: Designs that go on before any other, such as the anchors of a study.
        """
        self._floors = [_Floor(number) for number in wanted]
        self._rounds, self._round = rounds, 1
        self._favoured = favoured
        self._strata: dict[str, Sequence[Hashable]] = {}

    def next(self) -> Move | None:
        """What a free worker does; None where nothing can be begun, for now or for good."""
        while True:
            for rung, floor in enumerate(self._floors):
                if len(floor.begun) >= ceil(floor.wanted * self._round / self._rounds):
                    continue
                if rung == 0:
                    return Move(0, None)
                if (design := self._best(rung - 1)) is not None:
                    return Move(rung, design)
            if self._round == self._rounds:
                return None
            self._round += 1

    def begin(self, rung: int, design: str, strata: Sequence[Hashable] = ()) -> None:
        """A design was sent to a rung.

        Args:
            rung: Its number.
            design: The design.
            strata: Its stratum on each rung, where it is new.
        """
        self._floors[rung].begun[design] = None
        if strata:
            self._strata[design] = strata

    def finish(self, rung: int, design: str, point: Point | None) -> None:
        """What became of it there; None where it gave no number: it does not go on, and another takes its place."""
        floor = self._floors[rung]
        if point is None:
            floor.wanted += 1
        else:
            floor.points[design] = point

    def close(self) -> None:
        """No new design can be had: those that are there climb on."""
        self._floors[0].wanted = len(self._floors[0].begun)

    def points(self, rung: int) -> Mapping[str, Point]:
        """What a rung said, by design."""
        return self._floors[rung].points

    def _best(self, rung: int) -> str | None:
        """Who of a rung goes on first and has not yet."""
        points, gone = self._floors[rung].points, self._floors[rung + 1].begun
        if not points.keys() - gone.keys():
            return None
        designs = list(points)
        favoured = [one for one in designs if one in self._favoured and one not in gone]
        if favoured:
            return favoured[0]
        strata = [self._strata[one][rung] for one in designs]
        order = promotion_order(np.array([points[one] for one in designs]), strata)
        return next(designs[place] for place in order if designs[place] not in gone)

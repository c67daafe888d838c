"""Every design of a space judged at once, by costs and by an evaluator that is as fast: the front is exact."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.results.pareto import non_dominated
from experiments.evaluators.base import WholesaleEvaluator
from experiments.search.definition import ACCURACY, LATENCY, Limits, StudyDefinition
from experiments.search.samplers import WHOLE
from experiments.search.screening import Screen
from search_space.latency.calibration.devices import device
from search_space.latency.devices import devices
from search_space.spaces.enumeration import Enumeration, enumerated
from search_space.spaces.space import Space
from topformer.errors import StudyError

SUREST = 60
"""Designs beside the front whose accuracy is least in doubt, that are recorded before any is drawn."""


def check_wholesale(definition: StudyDefinition, evaluator: object) -> None:
    """A study whose designs are all judged at once has an evaluator that can.

    Raises:
        StudyError: It has not.
    """
    if definition.sampler == WHOLE and not isinstance(evaluator, WholesaleEvaluator):
        kind = definition.evaluator.kind
        raise StudyError(
            f"sampler {WHOLE!r} needs an evaluator that judges every design at once: count or published, got {kind!r}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """All designs within the limits of a study, judged.

    Attributes:
        listed: All designs of the space.
        order: Places there of those within the limits, as they are to be recorded: first the front, cheapest first,
            then some whose accuracy is least in doubt, then the others at random.
        front: How many of them are on the front.
    """

    listed: Enumeration
    order: NDArray[np.int64]
    front: int

    def labels(self) -> Iterator[Mapping[str, str]]:
        """Labels of the designs, in that order."""
        return (self.listed.labels(place) for place in self.order.tolist())

    def __str__(self) -> str:
        judged = f"{len(self.order):,} of {len(self.listed):,} designs are within the limits and judged at once"
        return f"{judged}: {self.front:,} are on the front"


def judged(definition: StudyDefinition, space: Space, screen: Screen, evaluator: WholesaleEvaluator) -> Judged:
    """Judge every design of a space that is within the limits of a study.

    Raises:
        SpaceError: The space holds more designs than can be listed.
        EvaluationError: A design cannot be judged.
    """
    # A listing always has a latency; where nobody asks for one, any device serves.
    listed = enumerated(space, screen.device or device(devices()[0]), screen.boundary)
    within = np.flatnonzero(_within(listed, definition.limits))
    is_chosen = np.zeros(len(listed), dtype=bool)
    is_chosen[within] = True
    chosen = [candidate for candidate, keep in zip(space, is_chosen.tolist(), strict=True) if keep]
    accuracies, doubts = evaluator.judge(chosen)
    columns = {
        ACCURACY: -accuracies,
        LATENCY: listed.latency.milliseconds[within],
        "macs": listed.macs[within],
        "parameters": listed.parameters[within],
    }
    points = np.stack([columns[name].astype(float) for name in definition.objectives], axis=1)
    best = non_dominated(points)
    front, others = np.flatnonzero(best), np.flatnonzero(~best)
    cost = next((name for name in definition.objectives if name != ACCURACY), ACCURACY)
    front = front[np.argsort(columns[cost][front], kind="stable")]
    others = np.random.default_rng(definition.seed).permutation(others)
    surest = others[np.argsort(doubts[others], kind="stable")[:SUREST]] if doubts.any() else others[:0]
    rest = others[~np.isin(others, surest)]
    return Judged(listed, within[np.concatenate([front, surest, rest])], len(front))


def _within(listed: Enumeration, limits: Limits) -> NDArray[np.bool_]:
    within = np.ones(len(listed), dtype=bool)
    if limits.macs is not None:
        within &= listed.macs <= limits.macs
    if limits.parameters is not None:
        within &= listed.parameters <= limits.parameters
    if limits.latency_ms is not None:
        within &= listed.latency.probability_above(limits.latency_ms) <= 1 - limits.alpha
    return within

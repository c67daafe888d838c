"""An Optuna sampler for costs that are exact and free: the design with the greatest expected gain of hypervolume.

Only the accuracy is unknown. A Gaussian process says what the evaluated designs tell about it everywhere, the costs of
all designs are known, and so every design within the limits is judged by what its evaluation is expected to add to the
front. The accuracies are noisy, and the model knows it: an evaluated design stands on the front with its posterior
mean, not with the number that its seed gave, and a running one with the mean that is expected of it.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from experiments.search.ehvi.accuracy import AccuracyModel
from experiments.search.ehvi.designs import Designs
from experiments.search.ehvi.improvement import CostBox

STARTUP = 10
"""Designs that are spread over costs and labels before the model chooses."""
STRATUM = 500
"""Designs of one stratum of the costs among which a first design is chosen."""
NEIGHBOURS = 200
"""Designs near the front that join a list that is not the whole space, whenever the kernel is learnt again."""

Floats = NDArray[np.float64]


class EHVISampler(BaseSampler):
    """Proposes designs out of a list, by the expected gain of hypervolume under the noise of seeds."""

    def __init__(self, designs: Designs, objectives: Sequence[str], *, seed: int, noise: float | None = None) -> None:
        """Prepare what does not depend on any observation.

        Args:
            designs: What may be proposed, where it is within the limits.
            objectives: Names of the study's objectives in order: columns of the designs' costs, which the study
                minimises, and one other, which it maximises.
            seed: Of all that is drawn.
            noise: Standard deviation of the accuracy between seeds, where it is known; else it is learnt.
        """
        self._designs, self._seed = designs, seed
        self._columns = [designs.columns.index(name) for name in objectives if name in designs.columns]
        self._random = Random(seed)  # noqa: S311 - designs are drawn, not secrets
        self._independent = RandomSampler(seed=seed)
        self._strata = self._random.sample(range(STARTUP), STARTUP)
        self._model = AccuracyModel(designs, noise)
        self._box: CostBox | None = None
        self._boxed = 0

    def reseed_rng(self) -> None:
        """Draw other numbers than the sampler of which this is a copy."""
        self._random = Random()  # noqa: S311 - designs are drawn, not secrets
        self._independent.reseed_rng()

    def infer_relative_search_space(
        self,
        study: Study,  # noqa: ARG002 - part of Optuna's interface
        trial: FrozenTrial,  # noqa: ARG002 - part of Optuna's interface
    ) -> dict[str, BaseDistribution]:
        """All axes of the space: a whole design is chosen at once."""
        return {axis.name: CategoricalDistribution(axis.labels) for axis in self._designs.space.axes}

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002 - part of Optuna's interface
    ) -> dict[str, Any]:
        """The labels of the next design; none where the trial has its labels already, or no design is left."""
        if "fixed_params" in trial.system_attrs:
            return {}
        others = [item for item in study.get_trials(deepcopy=False) if item.params and item.number != trial.number]
        places = [self._designs.place(item.params) for item in others]
        tried = list(zip(places, others, strict=True))
        accuracy = study.directions.index(StudyDirection.MAXIMIZE)
        complete = [(place, item.values[accuracy]) for place, item in tried if item.state is TrialState.COMPLETE]
        running = [place for place, item in tried if item.state is TrialState.RUNNING]
        chosen = self._next([place for place, _ in complete], [value for _, value in complete], running, places)
        return {} if chosen is None else dict(self._designs.labels(chosen))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random label, where no design is left to propose."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _next(self, complete: list[int], values: list[float], running: list[int], tried: list[int]) -> int | None:
        """The place of the next design; None where all are tried."""
        known = [*complete, *running]
        if not self._designs.is_whole and complete and self._wants_more(complete, known, tried):
            self._designs.add_neighbours(self._front(complete, values), NEIGHBOURS, self._random)
        if not self._open(tried).any():
            return None
        if len(complete) < 2 or len(known) < STARTUP:
            return self._first(np.flatnonzero(self._open(tried)), known)
        self._model.observe(complete, values)
        mean, deviation = self._model.predict(running)
        is_open, costs, floor = self._open(tried), self._costs[known], float(mean[known].min())
        gains = self._cost_box().gains(mean, deviation, costs, mean[known], floor, among=np.flatnonzero(is_open))
        return int(np.argmax(gains))

    def _wants_more(self, complete: list[int], known: list[int], tried: list[int]) -> bool:
        """Whether a list that is not the whole space should grow: the model is to learn, or nothing is left."""
        return (len(known) >= STARTUP and self._model.is_due(len(complete))) or not self._open(tried).any()

    def _open(self, tried: list[int]) -> NDArray[np.bool_]:
        """Which designs may be proposed: (N,)."""
        mask = self._designs.within.copy()
        mask[tried] = False
        return mask

    def _first(self, places: NDArray[np.intp], known: list[int]) -> int:
        """Of one stratum of the costs, another each time, the design that is least like the known ones."""
        column = (self._columns or [0])[0]
        ordered = places[np.argsort(self._designs.costs[places, column], kind="stable")]
        strata = np.array_split(ordered, min(STARTUP, len(ordered)))
        stratum = strata[self._strata[len(known) % STARTUP] % len(strata)].tolist()
        drawn = self._random.sample(stratum, min(STRATUM, len(stratum)))
        return int(drawn[np.argmax(self._model.spread(known)[drawn])])

    def _front(self, places: list[int], values: list[float]) -> list[int]:
        """The evaluated designs that no other one dominates."""
        points = np.column_stack([-np.asarray(values), self._costs[places]])
        best = [not ((points <= point).all(axis=1) & (points < point).any(axis=1)).any() for point in points]
        return [place for place, is_best in zip(places, best, strict=True) if is_best]

    @property
    def _costs(self) -> Floats:
        """The costs that are objectives: (N, C)."""
        return self._designs.costs[:, self._columns]

    def _cost_box(self) -> CostBox:
        """The box up to the largest costs within the limits; made again when there are more designs."""
        if self._box is None or self._boxed != len(self._designs):
            costs = self._costs
            self._box, self._boxed = CostBox(costs, costs[self._designs.within].max(axis=0), self._seed), len(costs)
        return self._box

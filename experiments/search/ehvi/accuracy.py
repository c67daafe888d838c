"""What the evaluated designs say about the accuracy of all: a Gaussian process that keeps step with a study."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from experiments.search.ehvi.designs import Designs, distances
from experiments.search.ehvi.gaussian_process import Inputs, Posterior, fitted, initial

Floats = NDArray[np.float64]

GROWTH = 1.15
"""The kernel is learnt again when there are so many times as many observations."""
RISE = 0.3
"""What is believed before anything is observed: standard deviations of the accuracy per one of the mean log cost."""


class AccuracyModel:
    """Mean and standard deviation of the accuracy of designs, in the unit of the observations."""

    def __init__(self, designs: Designs, noise: float | None = None) -> None:
        """Prepare what does not depend on any observation.

        Args:
            designs: Those to speak about; when they become more, the model notices.
            noise: Standard deviation between observations of one design, where it is known; else it is learnt.
        """
        self._designs, self._noise = designs, noise
        self._kernel = initial(distances(designs.space.axes))
        self._centre, self._scale = 0.0, 1.0
        self._known: Counter[tuple[int, float]] = Counter()
        self._learnt = 0
        self._extend()

    def is_due(self, observations: int) -> bool:
        """Whether `observe` would learn the kernel again from so many observations."""
        return observations >= GROWTH * self._learnt

    def observe(self, places: Sequence[int], values: Sequence[float]) -> None:
        """Take these observations, at least 2, as all there are; where the known ones are among them, it costs little.

        With several workers a later design may be observed earlier, so the order says nothing.
        """
        if len(self._designs) != len(self._inputs):
            self._extend()
        observed = Counter(zip(places, values, strict=True))
        if self.is_due(len(values)) or self._known - observed:
            self._learn(list(places), np.asarray(values, dtype=np.float64))
        else:
            for place, value in (observed - self._known).elements():
                self._posterior.observe(place, (value - self._centre) / self._scale - self._rise[place])
        self._known = observed

    def predict(self, running: Sequence[int] = ()) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each design, (N,) each, as if the running ones came out as expected."""
        mean, variance = self._posterior.believe(running)
        return self._centre + self._scale * (mean + self._rise), self._scale * np.sqrt(np.maximum(variance, 0))

    def spread(self, known: Sequence[int]) -> Floats:
        """How little the known designs say about the labels of each design: (N,), a variance before any learning."""
        if len(self._designs) != len(self._inputs):
            self._extend()
        # Without the trend, whose variance is greatest at the dearest and the cheapest designs.
        kernel = replace(initial(self._kernel.distances), trend=0.0)
        return Posterior(kernel, self._inputs).believe(known)[1]

    def _extend(self) -> None:
        logs = np.log(self._designs.costs)
        trends = (logs - logs.mean(axis=0)) / np.maximum(logs.std(axis=0), 1e-9)
        mean = trends.mean(axis=1)
        self._rise = RISE * mean / max(float(mean.std()), 1e-9)
        # By column, as the kernel reads them.
        self._inputs = Inputs(np.asfortranarray(self._designs.choices), trends)
        self._posterior = Posterior(self._kernel, self._inputs)
        self._known, self._learnt = Counter(), 0

    def _learn(self, places: list[int], values: Floats) -> None:
        self._centre, self._scale = float(values.mean()), float(values.std()) or 1.0
        standard = (values - self._centre) / self._scale - self._rise[places]
        noise = None if self._noise is None else (self._noise / self._scale) ** 2
        self._kernel = fitted(self._kernel, self._inputs.at(places), standard, noise)
        self._posterior = Posterior(self._kernel, self._inputs)
        self._posterior.restart(places, standard.tolist())
        self._learnt = len(places)

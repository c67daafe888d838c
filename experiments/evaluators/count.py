"""The count evaluator: what a design costs in the place of its accuracy, as the yardstick of every other source."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analysis.results.pareto import NORMAL_95
from experiments.evaluators.base import Accuracy, Progress, check_untrained
from search_space.candidate import Candidate
from search_space.cost.table import costs
from search_space.latency.boundary import boundary_named, latency_name
from search_space.latency.calibration.devices import device
from topformer.deployment.boundary import Boundary
from topformer.errors import StudyError
from topformer.kinds import Choice, Text
from topformer.schema import key, read

LATENCY = "latency_ms"
COUNTS = ("parameters", "macs", LATENCY)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountSettings:
    """What is counted.

    Raises:
        StudyError: A latency without a device, or a device without a latency.
    """

    count: str = field(default="macs", metadata=key(Choice(COUNTS), "What is counted."))
    device: str | None = field(default=None, metadata=key(Text(), "Device of the latency."))
    boundary: str = field(
        default=Boundary.LOGITS.value,
        metadata=key(Choice([one.value for one in Boundary]), "Where the graph ends whose latency is meant."),
    )

    def __post_init__(self) -> None:
        if (self.count == LATENCY) != (self.device is not None):
            raise StudyError(
                f"count = {LATENCY!r} and a device go together, got count {self.count!r} and device {self.device!r}"
            )


class CountEvaluator:
    """Parameters, MACs or predicted milliseconds of a candidate, nothing trained and no data read.

    The number itself stands in the place of an accuracy, and more is better: the hypothesis that a larger network is a
    more accurate one. A source of accuracies that orders designs no better than this is not worth its price.

    Args:
        settings: What is counted.

    Raises:
        InputError: There is no such device.
    """

    kind = "count"
    definition = CountSettings

    def __init__(self, settings: CountSettings) -> None:
        self.settings = settings
        self._device = device(settings.device) if settings.device is not None else None
        self._boundary = boundary_named(settings.boundary)

    @classmethod
    def read(cls, _folder: Path | None, values: Mapping[str, Any]) -> Self:
        """The evaluator of the settings of a study file; it needs no data set.

        Raises:
            StudyError: A key or a value is not accepted.
            InputError: There is no such device.
        """
        return cls(read(CountSettings, values, "evaluator.settings"))

    @property
    def metric(self) -> str:
        """`count@` and what is counted, such as `count@macs` and `count@latency_ms@snapdragon-865`."""
        return f"count@{latency_name(self._device.name, self._boundary) if self._device else self.settings.count}"

    def describe(self) -> Mapping[str, Any]:
        """Every setting that changes the number."""
        return {"kind": self.kind, **asdict(self.settings)}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """The count; `folder`, `seed` and `progress` have nothing to do.

        Raises:
            StudyError: A budget is given.
        """
        del folder, progress
        check_untrained(self.kind, budget)
        begin = time.monotonic()
        value, error = self.judge([candidate])[:, 0].tolist()
        return Accuracy(
            metric=self.metric,
            value=value,
            source="count",
            error=error if self._device else None,
            budget=budget,
            seed=seed,
            seconds=time.monotonic() - begin,
        )

    def judge(self, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """The counts of many, and their standard deviations: (2, N)."""
        if self._device is None:
            counts = getattr(costs(candidates), self.settings.count)
            return np.stack([counts.astype(np.float64), np.zeros(len(candidates))])
        found = self._device.estimate_many(candidates, boundary=self._boundary)
        return np.stack([found.milliseconds, (found.high - found.low) / (2 * NORMAL_95)])

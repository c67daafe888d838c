"""An evaluator that only sleeps; in a module of its own, because workers of a cluster load it by its name."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.evaluators.base import Accuracy, Progress
from search_space.candidate import Candidate


@dataclass(frozen=True)
class Sleeping:
    """Sleeps, and scores by the size of the design."""

    seconds: float

    metric = "miou@sleeping"

    def describe(self) -> Mapping[str, Any]:
        """No data."""
        return {"kind": "sleeping"}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """Sleep."""
        time.sleep(self.seconds)
        if progress is not None:
            progress(budget, budget)
        return scored(candidate, budget, seed, self.seconds)


def scored(candidate: Candidate, budget: int, seed: int, seconds: float) -> Accuracy:
    """An accuracy that grows with the width."""
    value = 30 + candidate.design.width / 16
    return Accuracy(metric=Sleeping.metric, value=value, source="proxy", budget=budget, seed=seed, seconds=seconds)

"""An evaluator for tests of ablations: a formula in the place of a training, with a log of what was really run."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.evaluators.base import Accuracy, Progress
from search_space.candidate import Candidate
from topformer.errors import EvaluationError


@dataclass(frozen=True)
class Formula:
    """Accuracy as a function of design and seed, with a log of what was really run."""

    log: Path
    seconds: float = 0.0
    fails_on: str = ""
    recipe: int = 1

    metric = "miou@formula"

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "formula", "data": {"name": "formula"}, "recipe": self.recipe}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        with self.log.open("a") as file:
            file.write(f"{candidate.fingerprint} {seed}\n")
        if candidate.design.injection.value == self.fails_on:
            raise EvaluationError("the loss is not finite")
        time.sleep(self.seconds)
        if progress is not None:
            progress(budget, budget)
        # Seeds move all designs by whole points; the last digits differ between design and seed, as noise does.
        noise = (int(candidate.fingerprint[:4], 16) * (seed + 3) % 97) / 970
        value = 40 + 3 * len(candidate.design.injected) + seed + noise
        return Accuracy(
            metric=self.metric, value=value, source="trained", budget=budget, seed=seed, seconds=self.seconds
        )

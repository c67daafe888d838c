"""An evaluator for tests of the sweep: a formula in the place of a training, with a log of what was really run."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from experiments.engines import engine_maker
from experiments.evaluators.base import Accuracy, Progress
from experiments.search.definition import StudyDefinition, from_mapping
from experiments.search.sweep import run_sweep
from search_space.candidate import Candidate
from topformer.errors import EvaluationError


@dataclass(frozen=True)
class Formula:
    """Accuracy as a function of the design; `log` gets one line at the begin and one at the end of each evaluation."""

    log: Path
    seconds: float = 0.0
    fails_on: str = ""
    dies_on: str = ""
    dies_once: bool = False

    metric = "miou@formula"

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "formula", "data": {"name": "formula"}, "version": 1}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        self._say("begin", candidate)
        kind = candidate.design.head.value
        if kind == self.fails_on:
            raise EvaluationError("the loss is not finite")
        if kind == self.dies_on and not (self.dies_once and (folder / "died").exists()):
            (folder / "died").touch()
            print("a last word", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        for step in range(10):
            time.sleep(self.seconds / 10)
            if progress is not None:
                progress(budget * (step + 1) // 10, budget)
        self._say("end", candidate)
        return Accuracy(
            metric=self.metric, value=value(candidate), source="trained", budget=budget, seed=seed, seconds=self.seconds
        )

    def _say(self, what: str, candidate: Candidate) -> None:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{what} {candidate.fingerprint}\n".encode())
        os.close(descriptor)


def value(candidate: Candidate) -> float:
    """Grows with M and the number of injected scales, in percent."""
    return 30 + candidate.design.width / 16 + 3 * len(candidate.design.injected)


def definition(**changes: Any) -> StudyDefinition:
    """A small study of the space `paper` around nano; a change to None takes the key away."""
    values: dict[str, Any] = {
        "name": "formula",
        "objectives": ["accuracy", "latency_ms"],
        "device": "snapdragon-865",
        "sampler": "random",
        "trials": 4,
        "consider": 50,
        "seed": 3,
        "space": {"name": "paper", "base": "nano", "height": 128, "width": 128},
        "evaluator": {"kind": "lean", "data": "tokenworld", "budget": 10},
    }
    return from_mapping({key: item for key, item in (values | changes).items() if item is not None})


def main(
    folder: str, log: str, seconds: str, trials: str, workers: str, storage: str = "journal", *cluster: str
) -> int:
    """Run the small study; a process that a test may kill."""
    study = definition(
        trials=int(trials),
        workers=int(workers),
        limits={"latency_ms": 1.5},
        storage=storage,
        lease=3.0,
        # With one, nothing is drawn in the end.
        objectives=["accuracy", "latency_ms"] if storage == "journal" else ["accuracy"],
    )
    make = partial(Formula, log=Path(log), seconds=float(seconds))
    engine = engine_maker("ray", *cluster) if cluster else engine_maker()
    return run_sweep(study, Path(folder), evaluator=make, engine=engine).exit_status


if __name__ == "__main__":
    # By its name, so that workers of a cluster find what is defined here, too.
    from tests.experiments_tests.search import stand_in

    sys.exit(stand_in.main(*sys.argv[1:]))

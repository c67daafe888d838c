"""One driver of a soak, as a process that is killed: the study, and an evaluation that goes on from its checkpoint."""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from experiments.engines import engine_maker
from experiments.evaluators.base import Accuracy, Progress
from experiments.search.definition import StudyDefinition, from_mapping
from experiments.search.sweep import run_sweep
from search_space.candidate import Candidate
from topformer.errors import ExplorerError
from topformer.files import replacing

WORKERS, STEPS = 2, 10
ONLY = {
    "pooled": ["all"],
    "pool_stride": ["s64"],
    "heads": ["4"],
    "depth": ["1", "2", "3"],
    "width": ["64", "96"],
}
"""What is left of the axes of `paper`: 246 designs."""


@dataclass(frozen=True)
class Stepping:
    """An evaluator that sleeps in steps, with a checkpoint after each."""

    log: Path
    seconds: float

    metric = "miou@soak"

    def describe(self) -> Mapping[str, Any]:
        """No settings: how long it takes changes no number."""
        return {"kind": "stepping"}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """Step by step, from the checkpoint; at once where the folder has the result."""
        checkpoint, result = folder / "checkpoint.json", folder / "result.json"
        done = json.loads(checkpoint.read_text())["step"] if checkpoint.exists() else 0
        for step in range(done, STEPS):
            time.sleep(self.seconds / STEPS)
            _write(checkpoint, {"step": step + 1, "weights": "x" * 20_000})
            self._say("step", candidate)
            if progress is not None:
                progress(budget * (step + 1) // STEPS, budget)
        if not result.exists():
            _write(result, {"value": score(candidate, seed)})
            self._say("end", candidate)
        value = json.loads(result.read_text())["value"]
        return Accuracy(metric=self.metric, value=value, source="trained", budget=budget, seed=seed, seconds=0.0)

    def _say(self, what: str, candidate: Candidate) -> None:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{what} {candidate.fingerprint}\n".encode())
        os.close(descriptor)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """In whole or not at all, as checkpoints are; no power cut is played, so that the disk need not be waited for."""
    with replacing(path, durable=False) as fresh:
        fresh.write_text(json.dumps(content), encoding="utf-8")


def score(candidate: Candidate, seed: int) -> float:
    """A number of the design and the seed."""
    return Random(f"{candidate.fingerprint} {seed}").uniform(20, 70)


def definition(storage: str, workers: int = WORKERS) -> StudyDefinition:
    """The study: every design of the space, with the lease that every study has."""
    return from_mapping(
        {
            "name": "soak",
            "objectives": ["accuracy"],
            "sampler": "exhaustive",
            "trials": 100_000,
            "asked": 100_000,
            "consider": 1,
            "workers": workers,
            "storage": storage,
            "seed": 3,
            "space": {"name": "paper", "base": "nano", "height": 128, "width": 128, "only": ONLY},
            "evaluator": {"kind": "lean", "data": "tokenworld", "budget": 100},
        }
    )


def main(folder: str, log: str, seconds: str, storage: str, *cluster: str) -> int:
    """Run the study until it ends or this process is killed.

    Args:
        folder: Run folder.
        log: File in which steps and ends are noted.
        seconds: Of one evaluation.
        storage: URL of the database.
        cluster: Address of a Ray cluster; none for processes of this machine.
    """
    make = partial(Stepping, log=Path(log), seconds=float(seconds))
    engine = engine_maker("ray", *cluster) if cluster else engine_maker()
    try:
        return run_sweep(definition(storage), Path(folder), evaluator=make, engine=engine).exit_status
    except ExplorerError as error:
        print(f"{folder}: {error}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    # By its name, so that workers of a cluster find what is defined here, too.
    from benchmarks import soak_driver

    sys.exit(soak_driver.main(*sys.argv[1:]))

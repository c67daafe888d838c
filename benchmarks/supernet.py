"""What a supernet's score costs: processor time per design, and in iterations of the trainings that it replaces.

    python -m benchmarks.supernet [--designs 12] [--iterations 12] [--seed 1]

The space `paper` around Nano at 128 px on the embedded data set, 256 images of recalibration and 300 of validation; one
thread. The supernet is hardly trained, which changes no time.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators.lean import LeanEvaluator
from experiments.evaluators.supernet import SupernetEvaluator, SupernetSettings
from experiments.training.supernet.train import RECIPE, train_supernet
from search_space.candidate import Candidate
from search_space.spaces.space import space

SIZE = 128


def main(argv: Sequence[str] | None = None) -> None:
    """Print seconds per iteration of the supernet and of a design alone, and per score."""
    options = _options(argv)
    wanted = space("paper", base="nano", height=SIZE, width=SIZE)
    designs = wanted.sample(options.seed, options.designs)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = write_tokenworld(folder / "data", size=SIZE, training=400, validation=300)
        recipe = replace(RECIPE, iterations=options.iterations)
        shared = _per_iteration(
            lambda told: train_supernet(wanted, recipe, open_folder(data), folder / "s", progress=told)
        )
        lean = LeanEvaluator(data)

        def training(one: Candidate) -> Callable[[Callable[[int, int], None]], object]:
            place = folder / one.fingerprint
            return lambda told: lean.evaluate(one, budget=options.iterations, seed=0, folder=place, progress=told)

        alone = mean(_per_iteration(training(one)) for one in designs)
        made = SupernetEvaluator(data, SupernetSettings(run=str(folder / "s")))
        made.evaluate(designs[0], budget=0, seed=0, folder=folder)
        scores = []
        for one in designs:
            start = time.process_time()
            made.evaluate(one, budget=0, seed=0, folder=folder)
            scores.append(time.process_time() - start)
    print(f"{options.designs} designs of paper around nano at {SIZE} px, one thread\n")
    print(f"one iteration of the supernet     {shared:6.3f} s, {shared / alone:4.1f} of a design alone")
    print(f"one iteration of a design alone   {alone:6.3f} s")
    print(f"one score                         {mean(scores):6.3f} s, {mean(scores) / alone:4.1f} iterations alone")
    print(f"designs a minute and core         {60 / mean(scores):6.0f}")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=12)
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(argv)


def _per_iteration(train: Callable[[Callable[[int, int], None]], Any]) -> float:
    """Processor seconds of an iteration: the median, for the first ones load images and code."""
    ends: list[float] = []
    train(lambda _done, _total: ends.append(time.process_time()))
    return median(after - before for before, after in pairwise(ends))


if __name__ == "__main__":
    main()

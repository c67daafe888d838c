"""What a zero-cost proxy costs: processor time per design, and in iterations of the training that it replaces.

    python -m benchmarks.proxies [--designs 12] [--size 128] [--seed 1]

Designs of the space `paper` around Nano on the embedded data set; one thread. Every design is asked for every proxy,
and takes one forward and backward pass at the same batch, in turn, so that all meet the same noise.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators.proxy import ProxyEvaluator, ProxySettings
from experiments.training.lean.loss import pixel_loss
from experiments.training.proxies import PROXIES
from search_space.candidate import Candidate
from search_space.spaces.space import space
from topformer.network import TopFormer

STEP = "one forward and backward pass"


def main(argv: Sequence[str] | None = None) -> None:
    """Print one line per proxy: seconds per design, designs per minute, and iterations of a training."""
    options = _options(argv)
    torch.set_num_threads(1)
    designs = space("paper", base="nano", height=options.size, width=options.size).sample(options.seed, options.designs)
    with TemporaryDirectory() as folder:
        data = write_tokenworld(Path(folder) / "data", size=options.size, training=200, validation=10)
        made = {name: ProxyEvaluator(data, ProxySettings(proxy=name)) for name in PROXIES}
        work = {name: _evaluation(one, Path(folder)) for name, one in made.items()}
        work[STEP] = _step(made["zico"].settings.batch)
        taken: dict[str, list[float]] = {name: [] for name in work}
        for candidate in (designs[0], *designs):
            for name, run in work.items():
                taken[name].append(_seconds(run, candidate))
    step = median(taken[STEP][1:])
    print(f"{options.designs} designs of paper around nano at {options.size} px, batch {made['zico'].settings.batch}\n")
    print(f"{'':<32}{'s/design':>10}{'designs/min':>13}{'iterations':>12}")
    for name, seconds in taken.items():
        # The first round loads images and code.
        each = median(seconds[1:])
        print(f"{name:<32}{each:>10.3f}{60 / each:>13.0f}{each / step:>12.1f}")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=12)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(argv)


def _evaluation(evaluator: ProxyEvaluator, folder: Path) -> Callable[[Candidate], object]:
    return lambda candidate: evaluator.evaluate(candidate, budget=0, seed=0, folder=folder)


def _step(batch: int) -> Callable[[Candidate], object]:
    def run(candidate: Candidate) -> None:
        images = torch.randn(batch, 3, candidate.height, candidate.width)
        labels = torch.zeros((batch, candidate.height, candidate.width), dtype=torch.uint8)
        loss = pixel_loss(TopFormer(candidate.design)(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]

    return run


def _seconds(run: Callable[[Candidate], object], candidate: Candidate) -> float:
    start = time.process_time()
    run(candidate)
    return time.process_time() - start


if __name__ == "__main__":
    main()

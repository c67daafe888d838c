"""How many designs per second are costed in closed form, against building the network and counting it with fvcore.

    python benchmarks/designs_per_second.py [--space paper] [--designs 20000] [--counted 20] [--seed 1]

Processor time of one thread, so that other work on the machine disturbs it little. The answers are compared before
they are timed: both ways must give the same integers.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Sequence

import fvcore
import numpy as np
import torch

from search_space.candidate import Candidate
from search_space.cost import parts
from search_space.cost.closed_form import cost
from search_space.cost.counters import count_fvcore
from search_space.cost.table import costs
from search_space.spaces.space import space
from topformer.network import TopFormer


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints a table of rates and ratios; 0, or 1 where the answers differ."""
    options = _options(argv)
    torch.set_num_threads(1)
    candidates = space(options.space).sample(options.seed, options.designs)
    few = candidates[: options.counted]
    if [cost(candidate).macs for candidate in few] != [_built(candidate) for candidate in few]:
        print("closed form and fvcore differ", file=sys.stderr)
        return 1
    seconds = {
        "build the network, count with fvcore": _best(lambda: [_built(c) for c in few], 1) / len(few),
        "closed form, one at a time, parts remembered": _best(lambda: [cost(c) for c in candidates], options.repeats)
        / len(candidates),
        "closed form, all at once, nothing remembered": _cold(candidates, options.repeats),
        "closed form, all at once, parts remembered": _best(lambda: costs(candidates), options.repeats)
        / len(candidates),
    }
    print(f"space {options.space}: {len(candidates)} designs (fvcore: {len(few)}), seed {options.seed}")
    print(f"{_machine()}; processor time of one thread, best of {options.repeats}\n")
    slowest = max(seconds.values())
    print(f"{'':<46} {'us/design':>12} {'designs/s':>12} {'ratio':>10}")
    for name, taken in seconds.items():
        print(f"{name:<46} {taken * 1e6:>12,.1f} {1 / taken:>12,.0f} {slowest / taken:>10,.0f}")
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="paper")
    parser.add_argument("--designs", type=int, default=20_000)
    parser.add_argument("--counted", type=int, default=20, help="designs that are built and counted with fvcore")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args(argv)


def _built(candidate: Candidate) -> int:
    return count_fvcore(TopFormer(candidate.design), candidate.height, candidate.width).total


def _best(work: Callable[[], object], repeats: int) -> float:
    """Processor seconds of the fastest run."""
    return min(_seconds(work) for _ in range(repeats))


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _cold(candidates: Sequence[Candidate], repeats: int) -> float:
    """Seconds per design when every part has to be costed anew."""
    taken = []
    for _ in range(repeats):
        parts.quantities.cache_clear()
        taken.append(_seconds(lambda: costs(candidates)))
    return min(taken) / len(candidates)


def _machine() -> str:
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, torch {torch.__version__}"
    return f"{platform.machine()}, {versions}, fvcore {fvcore.__version__}"


if __name__ == "__main__":
    raise SystemExit(main())

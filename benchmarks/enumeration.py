"""How many designs per second get their cost and latency when a whole space is listed, against one at a time.

    python -m benchmarks.enumeration [--space paper] [--device snapdragon-865] [--alone 500]

One process, one core. The answers are compared before they are timed.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from search_space.cost import parts, table
from search_space.cost.closed_form import cost
from search_space.latency.calibration.devices import device
from search_space.spaces.enumeration import enumerated
from search_space.spaces.space import space


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints designs per second; 0, or 1 where the answers differ."""
    options = _options(argv)
    chosen, model = space(options.space), device(options.device)
    found = enumerated(chosen, model)
    places = np.random.default_rng(options.seed).choice(len(found), options.alone, replace=False)
    candidates = [found.candidate(int(place)) for place in places]
    alone = [model.estimate(candidate).milliseconds for candidate in candidates]
    if not np.allclose(alone, found.latency.milliseconds[places]):
        print("the whole space and single designs differ", file=sys.stderr)
        return 1
    seconds = {
        "one at a time: cost and estimate": _best(lambda: [(cost(c), model.estimate(c)) for c in candidates], 2)
        / len(candidates),
        "whole space, nothing remembered": _cold(lambda: enumerated(chosen, model), options.repeats) / len(found),
        "whole space, parts remembered": _best(lambda: enumerated(chosen, model), options.repeats) / len(found),
    }
    print(f"space {options.space}: {len(found):,} designs, device {options.device}, seed {options.seed}")
    print(
        f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}; one core, best of ", end=""
    )
    print(f"{options.repeats}\n")
    slowest = max(seconds.values())
    print(f"{'':<36} {'us/design':>12} {'designs/s':>12} {'ratio':>10}")
    for name, taken in seconds.items():
        print(f"{name:<36} {taken * 1e6:>12,.2f} {1 / taken:>12,.0f} {slowest / taken:>10,.0f}")
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="paper")
    parser.add_argument("--device", default="snapdragon-865")
    parser.add_argument("--alone", type=int, default=500, help="designs that are also costed one at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args(argv)


def _best(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest run."""
    return min(_seconds(work) for _ in range(repeats))


def _cold(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest run in which every part is costed anew."""
    taken = []
    for _ in range(repeats):
        parts.quantities.cache_clear()
        table._folded.cache_clear()
        taken.append(_seconds(work))
    return min(taken)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    raise SystemExit(main())

"""What a search on the ladder costs, against training designs drawn at random: processor seconds to the same front.

    python -m benchmarks.search_efficiency [TABLE] [--trials 30] [--seeds 40] [--json]

Both are replayed on a truth table (docs/ladder.md). Random search trains `trials` designs; the ladder scores every
design with the supernet, pays its share of the supernet's training as if it scored 300, and trains the best in turn
until it has the hypervolume that random search ends with in the median.
"""

import argparse
import json
from collections.abc import Sequence

from analysis.results.truth_files import truth_table
from experiments.cli.ladder import SHIPPED
from experiments.ladder.pool import Pool
from experiments.ladder.replay import LADDER, replay


def main(argv: Sequence[str] | None = None) -> None:
    """Print the seconds of both and their ratio."""
    options = _options(argv)
    pool = Pool.of(truth_table(options.table))
    random, ladder = replay(pool, ["random", LADDER], trials=options.trials, seeds=options.seeds)
    spent, needed = random.seconds[-1], ladder.needed_seconds
    found = {
        "designs": len(pool),
        "trials": options.trials,
        "random_seconds": spent,
        "ladder_trainings": ladder.needed,
        "ladder_seconds": needed,
        "ratio": None if needed is None else needed / spent,
    }
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"random search: {options.trials} trainings of {len(pool)} designs, {spent:,.0f} s")
    if needed is None:
        print(f"the ladder has not reached its front in the median after {options.trials} trainings")
    else:
        print(f"the ladder: {ladder.needed:g} trainings, scores included {needed:,.0f} s, {needed / spent:.2f} of it")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default=SHIPPED)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

"""List the designs of a search space with their exact cost and predicted latency.

Nothing is built: costs are closed forms, so that thousands of designs take a second.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from experiments.cli.arguments import add_json, add_size, read_design, size

EXAMPLE = "topformer enumerate paper --base nano --size 128 --max-latency-ms 2 --limit 20"
CHUNK = 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("space", help="paper, published-search or full")
    parser.add_argument("--base", default="tiny", help="the design that the axes vary: a preset or a JSON file")
    add_size(parser, "512")
    parser.add_argument("--device", default="snapdragon-865", help="device of the latency")
    parser.add_argument("--max-latency-ms", type=float, default=None, help="leave out designs predicted to be slower")
    parser.add_argument("--limit", type=int, default=20, help="stop after so many designs; 0 lists all")
    parser.add_argument("--sample", type=int, default=None, metavar="SEED", help="draw at random with this seed")
    parser.add_argument("--count", action="store_true", help="only print how many distinct designs the space holds")
    parser.add_argument("--csv", type=Path, default=None, help="write all columns to this file instead")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the designs, one a line."""
    from search_space.spaces import space

    height, width = size(args.size)
    chosen = space(args.space, base=read_design(args.base), height=height, width=width)
    if args.count:
        print(json.dumps({"space": chosen.name, "designs": chosen.count()}) if args.json else f"{chosen.count():,}")
        return 0
    rows = _rows(chosen, args)
    listed = islice(rows, args.limit or None)
    if args.csv is not None:
        with args.csv.open("w", newline="", encoding="utf-8") as file:
            number = _write(listed, file)
        print(f"{args.csv}: {number:,} designs")
    elif args.json:
        print(json.dumps(list(listed), indent=2))
    else:
        _write(listed, sys.stdout, delimiter="\t")
    return 0

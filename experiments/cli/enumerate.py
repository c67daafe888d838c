"""List the designs of a search space with their exact cost and predicted latency.

Nothing is built: costs are closed forms, so that thousands of designs take a second.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from experiments.cli.arguments import add_boundary, add_device, add_json
from experiments.cli.parsing import of, place
from experiments.cli.spaces import add_space, chosen_space, space_help
from topformer.bounds import NATURAL, POSITIVE, SEED

if TYPE_CHECKING:
    from search_space.spaces.space import Space

EXAMPLE = "topformer enumerate paper --base nano --size 128 --max-latency-ms 2 --limit 20"
CHUNK = 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("space", help=space_help())
    add_space(parser)
    add_device(parser, "device of the latency")
    add_boundary(parser)
    parser.add_argument(
        "--max-latency-ms", "--max-ms", type=of(POSITIVE), default=None, help="leave out designs predicted to be slower"
    )
    parser.add_argument("--limit", type=of(NATURAL), default=20, help="stop after so many designs; 0 lists all")
    parser.add_argument("--sample", type=of(SEED), default=None, metavar="SEED", help="draw at random with this seed")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--count", action="store_true", help="only print how many distinct designs the space holds")
    only.add_argument(
        "--summary", action="store_true", help="count the designs within the limit, and show the extremes among them"
    )
    only.add_argument("--csv", type=place, default=None, help="write all columns to this file instead")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the designs, one a line."""
    chosen = chosen_space(args.space, args)
    if args.count:
        print(json.dumps({"space": chosen.name, "designs": chosen.count()}) if args.json else f"{chosen.count():,}")
        return 0
    if args.summary:
        print(_summary(chosen, args))
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


def _summary(chosen: "Space", args: argparse.Namespace) -> str:
    """The exact set of feasible designs, in numbers."""
    from search_space.latency.calibration.devices import device
    from search_space.spaces.enumeration import enumerated

    found = enumerated(chosen, device(args.device), args.boundary).summary(args.max_latency_ms)
    return json.dumps(found.to_json(), indent=2) if args.json else found.render()


def _rows(chosen: "Space", args: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Labels, cost and latency of each design, costed a chunk at a time."""
    from search_space.cost.table import costs
    from search_space.latency.boundary import latency_name
    from search_space.latency.calibration.devices import device

    model = device(args.device)
    designs = chosen.enumerate() if args.sample is None else iter(chosen.sample(args.sample, args.limit or CHUNK))
    while chunk := list(islice(designs, min(CHUNK, args.limit * 4 or CHUNK))):
        table, latency = costs(chunk), model.estimate_many(chunk, boundary=args.boundary)
        above = None if args.max_latency_ms is None else latency.probability_above(args.max_latency_ms)
        for i, item in enumerate(chunk):
            if args.max_latency_ms is not None and latency.milliseconds[i] > args.max_latency_ms:
                continue
            yield {
                "fingerprint": item.fingerprint,
                "parameters": int(table.parameters[i]),
                "macs": int(table.macs[i]),
                latency_name(model.name, args.boundary): round(float(latency.milliseconds[i]), 4),
                "low": round(float(latency.low[i]), 4),
                "high": round(float(latency.high[i]), 4),
                **({} if above is None else {"P(meets the limit)": round(1 - float(above[i]), 3)}),
                **(chosen.labels_of(item) or {}),
            }


def _write(rows: Iterator[dict[str, object]], file: TextIO, delimiter: str = ",") -> int:
    """Write the rows as separated values with a header, and say how many there were."""
    number, writer = 0, None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(file, row, delimiter=delimiter, lineterminator="\n", restval="")
            writer.writeheader()
        writer.writerow(row)
        number += 1
    return number

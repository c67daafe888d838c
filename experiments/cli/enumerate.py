"""List the designs of a search space with their exact cost and predicted latency.

Nothing is built: costs are closed forms, so that thousands of designs take a second.
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from experiments.cli.arguments import add_boundary, add_device, add_json
from experiments.cli.parsing import of, place
from experiments.cli.space_arguments import add_space, chosen_space, space_help
from topformer.bounds import NATURAL, POSITIVE, SEED

if TYPE_CHECKING:
    from search_space.candidate import Candidate
    from search_space.spaces.space import Space

EXAMPLE = "topformer enumerate paper --base nano --size 128 --max-latency-ms 2 --limit 20"
CHUNK = 2000
SHOWN = 20
"""Designs of a table that somebody reads."""
SORTED_BY = ("latency", "parameters", "macs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("space", help=space_help())
    add_space(parser)
    add_device(parser, "device of the latency")
    add_boundary(parser)
    parser.add_argument(
        "--max-latency-ms", "--max-ms", type=of(POSITIVE), default=None, help="leave out designs predicted to be slower"
    )
    parser.add_argument(
        "--limit",
        type=of(NATURAL),
        default=None,
        help=f"stop after so many designs; 0 lists all, and so do --csv and --json without it; {SHOWN} by default",
    )
    parser.add_argument("--sort", choices=SORTED_BY, default=None, help="list all by this, least first")
    parser.add_argument("--descending", action="store_true", help="with --sort: most first")
    parser.add_argument("--sample", type=of(SEED), default=None, metavar="SEED", help="draw at random with this seed")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--count", action="store_true", help="only print how many distinct designs the space holds")
    only.add_argument(
        "--summary", action="store_true", help="count the designs within the limit, and show the extremes among them"
    )
    only.add_argument("--csv", type=place, default=None, help="write all designs to this file instead")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the designs, one a line, or write them."""
    chosen = chosen_space(args.space, args)
    if args.count:
        print(json.dumps({"space": chosen.name, "designs": chosen.count()}) if args.json else f"{chosen.count():,}")
        return 0
    if args.summary:
        print(_summary(chosen, args))
        return 0
    # A program takes all there is; a reader wants to see what the rows look like.
    asked = 0 if args.csv or args.json else SHOWN
    limit = asked if args.limit is None else args.limit
    listing = _Listing(chosen, args, limit)
    if args.csv is not None:
        with args.csv.open("w", newline="", encoding="utf-8") as file:
            number = _write(listing.rows(), file)
        print(f"{args.csv}: {listing.said(number)}")
    elif args.json:
        print(json.dumps([{**row, "design": json.loads(str(row["design"]))} for row in listing.rows()], indent=2))
    else:
        number = _write(listing.rows(), sys.stdout, delimiter="\t", without=("design",))
        print(listing.said(number), file=sys.stderr)
    return 0


def _summary(chosen: "Space", args: argparse.Namespace) -> str:
    """The exact set of feasible designs, in numbers."""
    from search_space.latency.calibration.devices import device
    from search_space.spaces.enumeration import enumerated

    found = enumerated(chosen, device(args.device), args.boundary).summary(args.max_latency_ms)
    return json.dumps(found.to_json(), indent=2) if args.json else found.render()


class _Listing:
    """The designs that were asked for, in their order, and how many there are of them."""

    def __init__(self, chosen: "Space", args: argparse.Namespace, limit: int) -> None:
        from search_space.latency.calibration.devices import device

        self._space, self._args, self._limit = chosen, args, limit
        self._model = device(args.device)
        self._within: int | None = None
        self._designs = self._sorted() if args.sort else self._as_listed()

    def said(self, number: int) -> str:
        """How many of how many were listed."""
        slow, whole = self._args.max_latency_ms, f"{self._space.count():,} designs of {self._space.name}"
        more = "; --limit 0 lists all" if number == self._limit else ""
        if self._args.sample is not None:
            whole = f"a sample of the {whole}"
        if slow is None:
            return f"{number:,} of {whole}{more}"
        # How many are fast enough is known where all were looked at, for their order.
        among = "" if self._within is None else f" of {self._within:,}"
        return f"{number:,}{among} that take at most {slow:g} ms, of {whole}{more}"

    def rows(self) -> Iterator[dict[str, object]]:
        """Labels, cost, latency and the design itself, costed a chunk at a time."""
        return islice(self._all(), self._limit or None)

    def _as_listed(self) -> "Iterator[Candidate]":
        if self._args.sample is None:
            return self._space.enumerate()
        return iter(self._space.sample(self._args.sample, self._limit or min(CHUNK, self._space.count())))

    def _sorted(self) -> "Iterator[Candidate]":
        """All designs, or all of the sample, least first, or most with --descending."""
        from search_space.cost.table import costs
        from search_space.spaces.enumeration import enumerated

        at: Callable[[int], Candidate]
        if self._args.sample is None:
            found = enumerated(self._space, self._model, self._args.boundary)
            columns, at = (found.latency.milliseconds, found.parameters, found.macs), found.candidate
        else:
            drawn = list(self._as_listed())
            table, latency = costs(drawn), self._model.estimate_many(drawn, boundary=self._args.boundary)
            columns, at = (latency.milliseconds, table.parameters, table.macs), lambda place: drawn[place]
        column = dict(zip(SORTED_BY, columns, strict=True))[self._args.sort]
        # Equal ones stay in the order of the space.
        order = (-column if self._args.descending else column).argsort(kind="stable")
        if self._args.max_latency_ms is not None:
            order = order[columns[0][order] <= self._args.max_latency_ms]
            self._within = len(order)
        return map(at, order.tolist())

    def _all(self) -> Iterator[dict[str, object]]:
        while chunk := list(islice(self._designs, min(CHUNK, self._limit * 4 or CHUNK))):
            yield from self._chunk(chunk)

    def _chunk(self, chunk: "list[Candidate]") -> Iterator[dict[str, object]]:
        from search_space.cost.table import costs
        from search_space.latency.boundary import latency_name
        from topformer.codec import to_json

        limit, boundary = self._args.max_latency_ms, self._args.boundary
        table, latency = costs(chunk), self._model.estimate_many(chunk, boundary=boundary)
        above = None if limit is None else latency.probability_above(limit)
        for i, item in enumerate(chunk):
            if limit is not None and latency.milliseconds[i] > limit:
                continue
            yield {
                "fingerprint": item.fingerprint,
                "parameters": int(table.parameters[i]),
                "macs": int(table.macs[i]),
                latency_name(self._model.name, boundary): round(float(latency.milliseconds[i]), 4),
                "low": round(float(latency.low[i]), 4),
                "high": round(float(latency.high[i]), 4),
                **({} if above is None else {"P(meets the limit)": round(1 - float(above[i]), 3)}),
                **(self._space.labels_of(item) or {}),
                "design": json.dumps(to_json(item.design), separators=(",", ":")),
            }


def _write(rows: Iterator[dict[str, object]], file: TextIO, delimiter: str = ",", without: Collection[str] = ()) -> int:
    """Write the rows as separated values with a header, but for some columns, and say how many there were."""
    number, writer = 0, None
    for row in rows:
        cells = {name: value for name, value in row.items() if name not in without}
        if writer is None:
            writer = csv.DictWriter(file, cells, delimiter=delimiter, lineterminator="\n", restval="")
            writer.writeheader()
        writer.writerow(cells)
        number += 1
    return number

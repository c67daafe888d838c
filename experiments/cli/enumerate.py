"""List the designs of a search space with their exact cost and predicted latency.

Nothing is built: costs are closed forms, so that thousands of designs take a second.
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from experiments.cli.arguments import add_boundary, add_device, add_json
from experiments.cli.parsing import of, place
from experiments.cli.space_arguments import add_space, chosen_space, space_help
from experiments.files import make_folder
from topformer.bounds import NATURAL, POSITIVE, SEED
from topformer.csv_file import read_csv
from topformer.errors import InputError, SpaceError
from topformer.files import check_place, replacing

if TYPE_CHECKING:
    from search_space.candidate import Candidate
    from search_space.spaces.space import Space

EXAMPLE = "topformer enumerate paper --base nano --size 128 --max-latency-ms 2 --limit 20"
CHUNK = 2000
SHOWN = 20
"""Designs of a table that somebody reads."""
SORTED_BY = ("latency", "parameters", "macs")
LOOKED = 20_000
"""Designs in a row of which none is fast enough, after which a listing of a space without end gives up."""
_FIRST = ("fingerprint", "parameters", "macs")
"""The first columns of every list."""
_MEETS = "P(meets the limit)"


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
    _check_options(args)
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
        check_place(args.csv, _is_listing, (), made="list of topformer enumerate --csv")
        make_folder(args.csv.parent)
        with replacing(args.csv) as fresh, fresh.open("w", newline="", encoding="utf-8") as file:
            number = _write(listing.rows(), file, listing.columns)
        print(f"{args.csv}: {listing.said(number)}")
    elif args.json:
        print(json.dumps([{**row, "design": json.loads(str(row["design"]))} for row in listing.rows()], indent=2))
    else:
        number = _write(listing.rows(), sys.stdout, listing.columns[:-1], delimiter="\t")
        print(listing.said(number), file=sys.stderr)
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """No option is given that another one makes void.

    Raises:
        InputError: One is.
    """
    if args.descending and args.sort is None:
        raise InputError("--descending says the order of --sort, got none: add --sort latency, parameters or macs")
    if args.json and args.csv is not None:
        raise InputError(f"--csv and --json are two forms of one list, got both: {args.csv} and --json; choose one")
    if args.count and args.max_latency_ms is not None:
        raise InputError(
            f"--count counts the whole space, got --max-latency-ms {args.max_latency_ms:g} too; "
            "--summary counts the designs within it"
        )


def _is_listing(path: Path) -> bool:
    try:
        return read_csv(path).columns[: len(_FIRST)] == _FIRST
    except InputError:
        return False


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
        self._designs = self._chosen() if self._needs_all() else self._as_listed()

    @property
    def columns(self) -> list[str]:
        """Those of a row, in order; the last is the design."""
        from search_space.latency.boundary import latency_name

        limited = [] if self._args.max_latency_ms is None else [_MEETS]
        axes = [axis.name for axis in self._space.axes]
        return [*_FIRST, latency_name(self._model.name, self._args.boundary), "low", "high", *limited, *axes, "design"]

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

    def _needs_all(self) -> bool:
        """Whether all designs are looked at before the first is listed, for their order or to find the fast ones."""
        from search_space.spaces.enumeration import MOST

        is_limited = self._args.max_latency_ms is not None and self._args.sample is None
        return self._args.sort is not None or (is_limited and self._space.count() <= MOST)

    def _chosen(self) -> "Iterator[Candidate]":
        """All designs within the limit, or those of the sample: in their order, or least first, or most first."""
        import numpy as np

        from search_space.cost.table import costs
        from search_space.spaces.enumeration import enumerated

        at: Callable[[int], Candidate]
        if self._args.sample is None:
            found = enumerated(self._space, self._model, self._args.boundary)
            if self._args.max_latency_ms is not None:
                found.check_feasible(self._args.max_latency_ms)
            columns, at = (found.latency.milliseconds, found.parameters, found.macs), found.candidate
        else:
            drawn = list(self._as_listed())
            table, latency = costs(drawn), self._model.estimate_many(drawn, boundary=self._args.boundary)
            columns, at = (latency.milliseconds, table.parameters, table.macs), lambda place: drawn[place]
        by_name = dict(zip(SORTED_BY, columns, strict=True))
        column = by_name[self._args.sort] if self._args.sort else np.zeros(len(columns[0]))
        # Equal ones stay in the order of the space.
        order = (-column if self._args.descending else column).argsort(kind="stable")
        if self._args.max_latency_ms is not None:
            order = order[columns[0][order] <= self._args.max_latency_ms]
            self._within = len(order)
        return map(at, order.tolist())

    def _all(self) -> Iterator[dict[str, object]]:
        """The rows; in a space that is too large to be looked through, as long as there are any.

        Raises:
            SpaceError: None of many designs in a row is fast enough.
        """
        looked = listed = since = 0
        while chunk := list(islice(self._designs, min(CHUNK, self._limit * 4 or CHUNK))):
            rows = list(self._chunk(chunk))
            yield from rows
            looked, listed, since = looked + len(chunk), listed + len(rows), 0 if rows else since + len(chunk)
            if since >= LOOKED:
                raise SpaceError(
                    f"{listed:,} of the first {looked:,} designs of {self._space.name} take at most "
                    f"{self._args.max_latency_ms:g} ms, none of the last {since:,}; --sample SEED draws at random"
                )

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
            counts = (item.fingerprint, int(table.parameters[i]), int(table.macs[i]))
            yield {
                **dict(zip(_FIRST, counts, strict=True)),
                latency_name(self._model.name, boundary): round(float(latency.milliseconds[i]), 4),
                "low": round(float(latency.low[i]), 4),
                "high": round(float(latency.high[i]), 4),
                **({} if above is None else {_MEETS: round(1 - float(above[i]), 3)}),
                **(self._space.labels_of(item) or {}),
                "design": json.dumps(to_json(item.design), separators=(",", ":")),
            }


def _write(rows: Iterator[dict[str, object]], file: TextIO, columns: Sequence[str], delimiter: str = ",") -> int:
    """Write these columns of the rows as separated values with a header, and say how many rows there were."""
    writer = csv.DictWriter(file, columns, delimiter=delimiter, lineterminator="\n", restval="", extrasaction="ignore")
    writer.writeheader()
    number = 0
    for row in rows:
        writer.writerow(row)
        number += 1
    return number

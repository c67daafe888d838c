"""Count parameters, MACs and activation memory of a design, exactly.

MACs are given in three conventions, because published figures differ in theirs; `--ledger` shows
what each counter counts.
"""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from experiments.cli.arguments import add_candidate, add_json, candidate
from experiments.cli.terminal import announce

if TYPE_CHECKING:
    from search_space.cost.closed_form import Cost
    from search_space.cost.ledger import Ledger

EXAMPLE = "topformer cost base --size 512 --ledger"
COLUMNS = {
    "parameters": "parameters",
    "macs": "MACs (fvcore)",
    "macs_conv_matmul": "conv + matmul",
    "macs_paper_convention": "the paper's",
}
"""Field of a cost to the heading of its column."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_candidate(parser)
    parser.add_argument(
        "--ledger", action="store_true", help="compare with fvcore, thop and torch (builds the network)"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the cost, or the ledger."""
    from search_space.cost.closed_form import cost

    wanted = candidate(args)
    counted = cost(wanted)
    values = {"fingerprint": wanted.fingerprint, **_plain(counted)}
    if args.ledger:
        announce(f"building {args.design}, for fvcore, thop and torch to count it: up to half a minute")
        from search_space.cost.ledger import ledger, render

        book = ledger(wanted.design, wanted.height, wanted.width)
        print(json.dumps({**values, "ledger": _ledger(book)}, indent=2) if args.json else render(book))
    elif args.json:
        print(json.dumps(values, indent=2))
    else:
        print(f"{args.design} at {wanted.height} x {wanted.width}  ({wanted.fingerprint})")
        print("\n".join(_table(counted)))
    return 0


def _plain(counted: "Cost") -> dict[str, Any]:
    return {
        **{name: getattr(counted, name) for name in COLUMNS},
        "peak_activation_bytes": counted.peak_activation_bytes,
        "by_module": {name: asdict(share) for name, share in counted.by_module.items()},
    }


def _ledger(book: "Ledger") -> dict[str, Any]:
    return {"rows": [asdict(row) for row in book.rows], "totals": dict(book.totals)}


def _table(counted: "Cost") -> list[str]:
    head = f"{'':<12}" + "".join(f"{title:>17}" for title in COLUMNS.values())
    rows = [
        f"{name:<12}" + "".join(f"{getattr(share, field):>17,}" for field in COLUMNS)
        for name, share in (*counted.by_module.items(), ("total", counted))
    ]
    return [head, *rows, f"peak activation memory: {counted.peak_activation_bytes / 2**20:.2f} MiB at fp32"]

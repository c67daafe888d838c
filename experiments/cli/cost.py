"""Count parameters, MACs and activation memory of a design, exactly.

MACs are given in three conventions, because published figures differ in theirs; `--ledger` shows
what each counter counts.
"""

import argparse
import json

from experiments.cli.arguments import add_candidate, add_json, candidate

EXAMPLE = "topformer cost base --size 512 --ledger"


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
    if args.ledger:
        from search_space.cost.ledger import ledger

        book = ledger(wanted)
        print(json.dumps({**counted.to_json(), "ledger": book.to_json()}, indent=2) if args.json else book.render())
    elif args.json:
        print(json.dumps({"fingerprint": wanted.fingerprint, **counted.to_json()}, indent=2))
    else:
        print(counted.render(f"{args.design} at {wanted.height} x {wanted.width}  ({wanted.fingerprint})"))
    return 0

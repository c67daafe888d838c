"""List the search spaces: what each varies, and how many designs that makes."""

import argparse
import json
from inspect import cleandoc
from textwrap import fill

from experiments.cli.arguments import SIZE, add_json
from experiments.cli.space_arguments import add_space, chosen_space
from search_space.spaces.catalogue import CATALOGUE

EXAMPLE = "topformer spaces --base nano --size 128"
WIDTH = 80
"""Characters of a line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_space(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print one line per space; with --json its axes and their labels too."""
    found = {name: chosen_space(name, args) for name in CATALOGUE}
    if args.json:
        told = {name: {"designs": one.count(), **one.describe()} for name, one in found.items()}
        print(json.dumps(told, indent=2))
        return 0
    print(f"{'space':<17} {'axes':>4} {'designs':>10}  what it varies")
    for name, one in found.items():
        head = f"{name:<17} {len(one.axes):>4} {_designs(one.count()):>10}  "
        print(fill(_meaning(name), width=WIDTH, initial_indent=head, subsequent_indent=" " * len(head)))
    print(f"around {args.base} at {args.size or SIZE}; topformer enumerate SPACE lists the designs of one")
    return 0


def _designs(count: int) -> str:
    """A number of designs that fits a column, whatever it is."""
    return f"{count:,}" if count < 1e9 else f"{count:.1e}"


def _meaning(name: str) -> str:
    """The first sentence of the function that makes the axes of a space."""
    return cleandoc(CATALOGUE[name].__doc__ or "").partition("\n\n")[0].replace("\n", " ").rstrip(".")

"""Arguments that name a search space, and the space that they name."""

import argparse

from analysis.records.named_design import FORMS, named_design
from experiments.cli.arguments import SIZE, add_size, size
from experiments.cli.parsing import of
from search_space.spaces.space import Space, space, spaces
from topformer.bounds import COUNT, SEED


def add_space(parser: argparse.ArgumentParser) -> None:
    """Add what names a search space, beside its name: the base and the input size."""
    parser.add_argument("--base", default="tiny", help=f"the design that the axes vary: {FORMS}")
    add_size(parser, None, f"; {SIZE} by default")


def space_help() -> str:
    """The names of the search spaces."""
    *others, last = spaces()
    return f"{', '.join(others)} or {last}"


def add_consider(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add how many designs of a space are looked at, and the seed of the sample."""
    parser.add_argument("--consider", type=of(COUNT), default=20_000, help=f"designs to {meaning}; a sample of more")
    parser.add_argument("--seed", type=of(SEED), default=0, help="seed of the sample")


def chosen_space(name: str, args: argparse.Namespace) -> Space:
    """The search space of that name around the base and size of `add_space`.

    Raises:
        SpaceError: No such space, or one that cannot hold the base.
        DesignError: No such base, or an impossible size.
    """
    height, width = size(args.size or SIZE)
    return space(name, base=named_design(args.base), height=height, width=width)

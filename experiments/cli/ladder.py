"""Hold every cheaper accuracy against full trainings: how well it ranks designs, and what it costs."""

import argparse
import json

from experiments.cli.arguments import add_json
from experiments.cli.parsing import place

EXAMPLE = "topformer ladder"
SHIPPED = "nano-tokenworld"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "runs",
        nargs="*",
        default=[SHIPPED],
        metavar="RUN",
        help="run folders whose records are taken together, or one truth table; the one that comes with the project by "
        "default",
    )
    parser.add_argument("--plot", type=place, default=None, metavar="FILE", help="draw the rungs into a PNG or SVG")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the ladder."""
    from analysis.results.ladder import ladder
    from analysis.results.truth_files import truth_table

    found = ladder(truth_table(*args.runs))
    if args.plot is not None:
        from analysis.plots.ladder import save_ladder

        save_ladder(found, args.plot)
    if args.json:
        print(json.dumps(found.to_json(), indent=2))
        return 0
    from analysis.reports.ladder_table import ladder_text
    from experiments.cli.terminal import console, table_width

    print(ladder_text(found, width=table_width(console())))
    return 0

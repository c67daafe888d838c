"""Hold every cheaper accuracy against full trainings: how well it ranks designs, and what it costs."""

import argparse
import json

from experiments.cli.arguments import add_json

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
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the ladder."""
    from analysis.results.ladder import ladder
    from analysis.results.truth_files import truth_table

    found = ladder(truth_table(*args.runs))
    if args.json:
        print(json.dumps(found.to_json(), indent=2))
        return 0
    from analysis.reports.ladder_table import ladder_text
    from experiments.cli.terminal import console, table_width

    print(ladder_text(found, width=table_width(console())))
    return 0

"""Draw the Pareto plot of a run, and write its table, from the records so far."""

import argparse

from experiments.cli.parsing import place

EXAMPLE = "topformer pareto runs/nano-tokenworld"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", type=place, help="a run folder, with its records.jsonl")
    parser.add_argument("--out", type=place, default=None, help="folder of the figures (default: the run's own)")


def run(args: argparse.Namespace) -> int:
    """Write the files and print their paths."""
    from analysis.reports.run_report import write_pareto

    files = write_pareto(args.run, args.out)
    for path in files:
        print(path)
    return 0

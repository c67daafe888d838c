"""Draw the Pareto plot of a run, and write its table, from the records so far."""

import argparse
from pathlib import Path

from experiments.cli.arguments import add_run, found_run
from experiments.cli.parsing import place

EXAMPLE = "topformer pareto runs/nano-tokenworld --designs front"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run(parser)
    parser.add_argument("--out", type=place, default=None, help="folder of the figures (default: the run's own)")
    parser.add_argument(
        "--designs",
        type=place,
        default=None,
        metavar="DIR",
        help="write the designs of the front as JSON files here, for train, export and measure",
    )


def run(args: argparse.Namespace) -> int:
    """Write the files and print their paths."""
    from analysis.reports.run_report import write_pareto

    run_folder = found_run(args.run)
    files = write_pareto(run_folder, args.out)
    for path in files:
        print(path)
    if args.designs is not None:
        for path in _designs(run_folder, args.designs):
            print(path)
    return 0


def _designs(run_folder: Path, folder: Path) -> list[Path]:
    """The designs of the front as files, best in the first objective first."""
    from analysis.reports.run_report import read_run, run_front
    from experiments.cli.design_files import write_designs
    from topformer.codec import from_json

    members = run_front(read_run(run_folder)).members
    return write_designs(folder, [from_json(dict(record.design)) for record in members], "pareto")

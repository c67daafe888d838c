"""Show what changes between two devices: the ratio of latencies, their order, and the Pareto front.

Over a space, with parameters or MACs in the place of the accuracy, or over the evaluated designs of a run.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli.arguments import add_json
from experiments.cli.parsing import place
from experiments.cli.space_arguments import add_consider, add_space, chosen_space, space_help
from experiments.cli.terminal import announce

if TYPE_CHECKING:
    from analysis.results.comparison import TransferCard
    from search_space.latency.model import DeviceModel

EXAMPLE = "topformer compare snapdragon-865 raspberry-pi-5 --space paper --base tiny"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("first", help="a device that ships, or the folder of one")
    parser.add_argument("second", help="another")
    parser.add_argument("--run", type=place, default=None, metavar="RUN", help="a run folder, in place of a space")
    parser.add_argument("--space", default="paper", help=space_help())
    add_space(parser)
    parser.add_argument("--by", choices=["parameters", "macs"], default="parameters", help="in place of an accuracy")
    add_consider(parser, "compare")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the card."""
    from search_space.latency.calibration.devices import device

    first, second = device(args.first), device(args.second)
    card = _of_space(args, first, second) if args.run is None else _of_run(args.run, first, second)
    print(json.dumps(card.to_json(), indent=2) if args.json else card.render())
    return 0


def _of_space(args: argparse.Namespace, first: "DeviceModel", second: "DeviceModel") -> "TransferCard":
    from analysis.results.comparison import compare_costs

    chosen = chosen_space(args.space, args)
    announce(f"costing {args.consider:,} designs of {chosen.name} on both devices: up to half a minute")
    return compare_costs(first, second, chosen.some(args.seed, args.consider), worth=args.by)


def _of_run(folder: Path, first: "DeviceModel", second: "DeviceModel") -> "TransferCard":
    from analysis.plots.pareto import plot_axes
    from analysis.reports.run_report import read_run
    from analysis.results.comparison import compare_records

    run = read_run(folder)
    return compare_records(first, second, run.records, plot_axes(run.objectives)[1])

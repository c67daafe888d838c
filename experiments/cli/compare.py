"""Show what changes between two designs, or between two devices: costs, latency by part, order, Pareto front.

Two designs: what they cost, where their milliseconds go, in what they differ. Two devices: over a space, with
parameters or MACs in the place of the accuracy, or over the evaluated designs of a run.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.records.named_design import FORMS
from experiments.cli.arguments import add_device, add_json, common_size, found_run, sized
from experiments.cli.parsing import Parser, place
from experiments.cli.space_arguments import add_consider, add_space, chosen_space, space_help
from experiments.cli.terminal import announce
from search_space.latency.devices import devices
from topformer.errors import InputError

if TYPE_CHECKING:
    from analysis.results.comparison import TransferCard
    from search_space.latency.model import DeviceModel

EXAMPLE = "topformer compare base tiny --drawing both.svg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("first", help=f"a design: {FORMS}; or a device: one that ships, or a folder")
    parser.add_argument("second", help="another of the same kind")
    add_device(parser, "designs: whose latency is shown")
    parser.add_argument("--drawing", type=place, default=None, metavar="FILE.svg", help="designs: draw both here")
    parser.add_argument("--run", type=place, default=None, metavar="RUN", help="devices: a run, in place of a space")
    parser.add_argument("--space", default="paper", help=f"devices: {space_help()}")
    add_space(parser)
    parser.add_argument(
        "--by", choices=["parameters", "macs"], default="parameters", help="devices: in place of an accuracy"
    )
    add_consider(parser, "compare")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the card of two devices, or the table of two designs."""
    kinds = [_is_device(text) for text in (args.first, args.second)]
    if kinds[0] is not kinds[1]:
        raise InputError(
            f"compare takes two designs or two devices, got {args.first!r}, a {_kind(kinds[0])}, and {args.second!r}, "
            f"a {_kind(kinds[1])}; devices: {', '.join(devices())}"
        )
    return _devices(args) if kinds[0] else _designs(args)


def _is_device(text: str) -> bool:
    return text.lower() in devices() or (Path(text) / "device.toml").is_file()


def _kind(is_device: bool) -> str:
    return "device" if is_device else "design"


def _designs(args: argparse.Namespace) -> int:
    from analysis.results.design_comparison import compare_designs
    from search_space.latency.calibration.devices import device

    _refuse_others(args, "two designs", ("run", "space", "base", "by", "consider", "seed"))
    pixels = common_size(args.size, args.first, args.second)
    first, second = ((name, sized(name, pixels)) for name in (args.first, args.second))
    found = compare_designs(first, second, device(args.device))
    if args.drawing is not None:
        from analysis.plots.design_drawing import write_drawing

        write_drawing(args.drawing, [(name, candidate.design) for name, candidate in (first, second)])
    print(json.dumps(found.to_json(), indent=2) if args.json else found.render())
    return 0


def _devices(args: argparse.Namespace) -> int:
    from search_space.latency.calibration.devices import device

    if args.drawing is not None:
        raise InputError(f"--drawing draws two designs, got the devices {args.first} and {args.second}")
    _refuse_others(args, "two devices", ("device",))
    if args.run is not None:
        _refuse_others(args, "a run", ("space", "base", "size", "by", "consider", "seed"))
    first, second = device(args.first), device(args.second)
    card = _of_space(args, first, second) if args.run is None else _of_run(args.run, first, second)
    print(json.dumps(card.to_json(), indent=2) if args.json else card.render())
    return 0


def _refuse_others(args: argparse.Namespace, asked: str, names: Iterable[str]) -> None:
    """No option is given that says nothing of what is compared; which is told by its default, given or not.

    Raises:
        InputError: One is.
    """
    defaults = Parser()
    add_arguments(defaults)
    for name in names:
        if getattr(args, name) != defaults.get_default(name):
            raise InputError(
                f"--{name} says nothing of {asked}, got {getattr(args, name)} for {args.first}, {args.second}"
            )


def _of_space(args: argparse.Namespace, first: "DeviceModel", second: "DeviceModel") -> "TransferCard":
    from analysis.results.comparison import compare_costs

    chosen = chosen_space(args.space, args)
    announce(f"costing {args.consider:,} designs of {chosen.name} on both devices: up to half a minute")
    return compare_costs(first, second, chosen.some(args.seed, args.consider), worth=args.by)


def _of_run(folder: Path, first: "DeviceModel", second: "DeviceModel") -> "TransferCard":
    from analysis.plots.pareto import plot_axes
    from analysis.reports.run_report import read_run
    from analysis.results.comparison import compare_records

    run = read_run(found_run(folder))
    return compare_records(first, second, run.records, plot_axes(run.objectives)[1])

"""Predict the latency of a design on a device, with its interval and what it rests on.

DESIGN may also be path.py:function, which is run and gives an nn.Module of your own.
"""

import argparse
import json
from typing import TYPE_CHECKING

from experiments.cli.arguments import SIZE, add_boundary, add_candidate, add_device, add_json, candidate, size
from experiments.cli.own_module import names_module, own_module
from experiments.cli.parsing import place
from topformer.errors import InputError

if TYPE_CHECKING:
    from search_space.candidate import Candidate
    from search_space.latency.model import DeviceModel

EXAMPLE = "topformer latency base --device snapdragon-865 --size 512 --explain"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_candidate(parser, ", or path.py:function that gives an nn.Module")
    add_device(parser, "whose times calibrate")
    add_boundary(parser)
    parser.add_argument("--fit", action="store_true", help="show the calibration too: rows, errors, coefficients")
    parser.add_argument(
        "--explain", action="store_true", help="show every boundary, and where the milliseconds go by part and kernel"
    )
    parser.add_argument(
        "--figure", type=place, default=None, metavar="FILE", help="draw the shares of the parts into a PNG or SVG"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the estimate."""
    from search_space.latency.calibration.devices import device

    model = device(args.device)
    if names_module(args.design):
        return _own(args, model)
    return _design(args, model, candidate(args))


def _described(model: "DeviceModel", args: argparse.Namespace) -> str:
    from search_space.latency.describe import describe

    return "\n".join(describe(model) if args.fit else describe(model)[:1])


def _own(args: argparse.Namespace, model: "DeviceModel") -> int:
    """Print the estimate of a module of the user's own."""
    from search_space.operations.walk import walk

    for name in ("explain", "figure", "classes"):
        if getattr(args, name):
            raise InputError(f"--{name} is for designs, got {args.design}; the estimate of a module has its parts")
    estimate = model.estimate(walk(own_module(args.design), *size(args.size or SIZE)), boundary=args.boundary)
    if args.json:
        print(json.dumps(estimate.to_json(), indent=2))
    else:
        print(estimate.render())
        print(_described(model, args))
    return 0


def _design(args: argparse.Namespace, model: "DeviceModel", chosen: "Candidate") -> int:
    """Print the estimate of a design."""
    from search_space.latency.explain import explain

    if args.figure is not None:
        from analysis.plots.style import check_figure

        check_figure(args.figure)
    told = explain(model, chosen) if args.explain or args.figure else None
    found = told if told is not None and args.explain else model.estimate(chosen, boundary=args.boundary)
    if args.json:
        print(json.dumps(found.to_json(), indent=2))
    else:
        print(found.render())
        print(_described(model, args))
    if args.figure and told is not None:
        from analysis.plots.latency import save_shares
        from topformer.presets import TINY

        title = (
            f"{args.design} at {chosen.height} x {chosen.width}, {model.name}: shares of the parts, up to the logits"
        )
        path = save_shares(told, args.figure, title=title, printed=chosen.design == TINY)
        if not args.json:
            print(path)
    return 0

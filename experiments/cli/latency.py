"""Predict the latency of a design on a device, with its interval and what it rests on."""

import argparse
import json

from experiments.cli.arguments import add_candidate, add_device, add_json, candidate
from experiments.cli.parsing import place

EXAMPLE = "topformer latency base --device snapdragon-865 --size 512 --explain"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_candidate(parser)
    add_device(parser, "whose times calibrate")
    parser.add_argument("--fit", action="store_true", help="show the calibration too: rows, errors, coefficients")
    parser.add_argument(
        "--explain", action="store_true", help="show every boundary, and where the milliseconds go by part and kernel"
    )
    parser.add_argument("--figure", type=place, default=None, metavar="FILE.png", help="draw the shares of the parts")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the estimate."""
    from search_space.latency.calibration.devices import device
    from search_space.latency.explain import explain

    model, chosen = device(args.device), candidate(args)
    told = explain(model, chosen) if args.explain or args.figure else None
    if args.json:
        found = told if told is not None and args.explain else model.estimate(chosen)
        print(json.dumps(found.to_json(), indent=2))
    else:
        print(told.render() if told is not None and args.explain else model.estimate(chosen).render())
        print("\n".join(model.describe() if args.fit else model.describe()[:1]))
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

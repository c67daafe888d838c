"""Predict the latency of a design on a device, with its interval and what it rests on."""

import argparse
import json

from experiments.cli.arguments import add_candidate, add_json, candidate

EXAMPLE = "topformer latency base --device snapdragon-865 --size 512"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_candidate(parser)
    parser.add_argument("--device", default="snapdragon-865", help="the device whose measurements calibrate the model")
    parser.add_argument("--fit", action="store_true", help="show the calibration too: rows, errors, coefficients")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the estimate."""
    from search_space.latency.calibration import device

    model = device(args.device)
    estimate = model.estimate(candidate(args))
    if args.json:
        print(json.dumps(estimate.to_json(), indent=2))
    else:
        print(estimate.render())
        print("\n".join(model.describe() if args.fit else model.describe()[:1]))
    return 0

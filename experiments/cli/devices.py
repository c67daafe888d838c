"""List the devices that ship with the project, and how far the predictions for each are off.

The errors are of networks that the fit did not see, each left out in its turn.
"""

import argparse
import json
from typing import TYPE_CHECKING

from experiments.cli.arguments import add_json
from search_space.latency.devices import devices

if TYPE_CHECKING:
    from search_space.latency.model import DeviceModel

EXAMPLE = "topformer devices"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print one line per device."""
    from search_space.latency.calibration.devices import shipped

    models = [shipped(name) for name in devices()]
    if args.json:
        print(json.dumps([_json(model) for model in models], indent=2))
        return 0
    print(f"{'device':<27} {'engine':<23} {'networks':>8} {'mean error':>10} {'largest':>8}")
    for model in models:
        print(
            f"{model.name:<27} {model.setup.runtime:<23} {len(model.rows):>8} "
            f"{model.left_out_mean:>10.1%} {model.left_out_max:>8.1%}"
        )
    print("error: of predicting a measured network that the fit did not see; each by")
    print("topformer latency base --device NAME --fit")
    return 0


def _json(model: "DeviceModel") -> dict[str, object]:
    setup = model.setup
    return {
        "name": model.name,
        "chip": setup.chip,
        "core": setup.core,
        "engine": setup.runtime,
        "precision": setup.precision,
        "networks": len(model.rows),
        "error_mean": model.left_out_mean,
        "error_largest": model.left_out_max,
        "source": setup.source,
    }

"""Choose the designs of a space whose measurement would tell most about which of them meet a latency limit.

With --out their JSON files are written, for `topformer measure`; its rows calibrate a device.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli.arguments import SIZE, add_boundary, add_device, add_json
from experiments.cli.design_files import write_designs
from experiments.cli.parsing import of, place
from experiments.cli.space_arguments import add_consider, add_space, chosen_space, space_help
from topformer.bounds import COUNT, POSITIVE
from topformer.deployment.boundary import Boundary

if TYPE_CHECKING:
    from search_space.latency.calibration.probing import MeasurementPlan
    from search_space.spaces.space import Space

EXAMPLE = "topformer measure-next --space paper --base tiny --max-latency-ms 50 --budget 5 --out probes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--space", default="paper", help=space_help())
    add_space(parser)
    add_device(parser, "the device, or one like it, as far as it is known")
    add_boundary(parser)
    parser.add_argument(
        "--max-latency-ms", type=of(POSITIVE), required=True, metavar="MS", help="limit that designs must meet"
    )
    parser.add_argument("--budget", type=of(COUNT), default=5, help="how many designs to choose")
    add_consider(parser, "decide about")
    parser.add_argument(
        "--out", type=place, default=None, metavar="FOLDER", help="write the designs as JSON files here"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the choice, best first."""
    from search_space.latency.calibration.devices import device
    from search_space.latency.calibration.probing import choose

    chosen = chosen_space(args.space, args)
    candidates = chosen.some(args.seed, args.consider)
    plan = choose(
        device(args.device),
        candidates,
        args.max_latency_ms,
        budget=args.budget,
        seed=args.seed,
        boundary=args.boundary,
    )
    designs = [probe.candidate.design for probe in plan.probes]
    files = write_designs(args.out, designs, "measure-next") if args.out is not None else []
    if args.json:
        print(json.dumps(_json(plan, chosen, files), indent=2))
    else:
        print("\n".join(_lines(plan, chosen, args.device)))
        if files:
            command = f"topformer measure {' '.join(map(str, files))} --size {args.size or SIZE} --out rows.csv"
            print(f"measure them: {command}")
            if args.boundary == Boundary.ARGMAX:
                # A device is fitted to times up to the logits; those of the whole say what the end costs.
                print(f"and their end: {command} --boundary {Boundary.ARGMAX}")
    return 0


def _json(plan: "MeasurementPlan", chosen: "Space", files: list[Path]) -> dict[str, object]:
    return {
        "space": chosen.name,
        "limit_ms": plan.limit_ms,
        "designs": plan.designs,
        "above": plan.above,
        "wrong": plan.wrong,
        "probes": [
            {
                "fingerprint": probe.candidate.fingerprint,
                "labels": chosen.labels_of(probe.candidate),
                "milliseconds": probe.milliseconds,
                "low": probe.low,
                "high": probe.high,
                "probability_above": probe.probability_above,
                "wrong": probe.wrong,
                "file": str(files[number]) if files else None,
            }
            for number, probe in enumerate(plan.probes)
        ],
    }


def _lines(plan: "MeasurementPlan", chosen: "Space", device: str) -> list[str]:
    lines = [
        f"{plan.designs:,} of {chosen.count():,} designs of {chosen.name} on {device}: {plan.above:,} predicted above "
        f"{plan.limit_ms:g} ms",
        f"expected on the other side of the limit than predicted: {plan.wrong:,.1f} ({plan.wrong / plan.designs:.2%})",
        f"{'measure':<20} {'ms':>8} {'95 %':>17} {'P(above)':>9} {'then wrong':>11}  labels",
    ]
    for probe in plan.probes:
        labels = " ".join(f"{axis}={label}" for axis, label in (chosen.labels_of(probe.candidate) or {}).items())
        interval = f"{probe.low:.2f} to {probe.high:.2f}"
        lines.append(
            f"{probe.candidate.fingerprint:<20} {probe.milliseconds:>8.2f} {interval:>17} "
            f"{probe.probability_above:>9.3f} {probe.wrong:>11,.1f}  {labels}"
        )
    return lines

"""Time designs on this machine, over ssh or on a phone, in turns with a reference network.

One thread on the fastest core; the median of many runs goes to a CSV file, with everything that is
needed to judge it. A run whose clock fell or whose times scatter is made again.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.records.named_design import FORMS, named_design
from experiments.cli.arguments import OWN_SIZE, add_boundary, add_size, common_size, sized
from experiments.cli.parsing import of, place
from experiments.measure.target import RUNTIMES, TargetOptions
from experiments.measure.targets import forms, open_target
from topformer.bounds import COUNT, NATURAL, POSITIVE
from topformer.errors import ExplorerError

if TYPE_CHECKING:
    from experiments.measure.session import Measurement, Session
    from search_space.candidate import Candidate

EXAMPLE = "topformer measure tiny small base --on ssh://pi@raspberrypi --runtime ncnn --out rows.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("designs", nargs="+", metavar="DESIGN", help=f"each {FORMS}")
    parser.add_argument("--on", default="local", metavar="DEVICE", help=f"where to measure: {forms()}")
    parser.add_argument("--runtime", choices=RUNTIMES, default="onnxruntime", help="engine")
    add_size(parser, None, OWN_SIZE)
    add_boundary(parser)
    parser.add_argument("--out", type=place, required=True, metavar="ROWS.csv", help="file that the rows are added to")
    parser.add_argument("--reference", default="tiny", help="design that runs in turns with each other one")
    parser.add_argument("--warmup", type=of(NATURAL), default=10, help="runs that are not counted")
    parser.add_argument("--runs", type=of(COUNT), default=50, help="runs that are counted")
    parser.add_argument(
        "--seconds", type=of(POSITIVE), default=10.0, help="counted time after which fewer runs will do"
    )
    parser.add_argument(
        "--repeats", type=of(NATURAL), default=3, help="how often an unstable measurement is made again"
    )
    parser.add_argument(
        "--timeout", type=of(POSITIVE), default=600.0, help="seconds after which the device is taken to hang"
    )
    parser.add_argument("--python", default="python3", help="over ssh: the interpreter on the device")
    parser.add_argument("--ssh-config", type=place, default=None, metavar="FILE", help="over ssh: in place of your own")
    parser.add_argument("--program", type=place, default=None, metavar="FILE", help="over adb: static benchncnn")
    parser.add_argument("--dry-run", action="store_true", help="print the commands that would run; measure nothing")


def run(args: argparse.Namespace) -> int:
    """Measure and append, one row after the other."""
    from experiments.measure.rows import append_row, check_header

    pixels = common_size(args.size, *args.designs)
    session, candidates = _session(args, pixels), [sized(name, pixels) for name in args.designs]
    if args.dry_run:
        return _dry_run(session, candidates)
    check_header(args.out)
    kept, unstable = 0, 0
    try:
        for name, found in zip(args.designs, session.measure(candidates), strict=True):
            append_row(args.out, found.row)
            kept, unstable = kept + 1, unstable + (not found.row.stable)
            print("\n".join(_lines(name, found)), flush=True)
    except ExplorerError as error:
        if not kept:
            raise
        # What was measured has been paid for: say that it is not lost.
        raise type(error)(
            f"{error}; {kept} of {len(candidates)} rows were measured before and are in {args.out}"
        ) from error
    print(f"{kept} rows added to {args.out}" + (f", {unstable} of them not stable" if unstable else ""))
    return 0


def _session(args: argparse.Namespace, pixels: tuple[int, int]) -> "Session":
    from experiments.measure.protocol import Protocol
    from experiments.measure.session import Session
    from topformer.deployment.boundary import Boundary

    protocol = Protocol(
        warmup=args.warmup, runs=args.runs, seconds=args.seconds, repeats=args.repeats, timeout=args.timeout
    )
    height, width = pixels
    options = TargetOptions(
        height=height,
        width=width,
        protocol=protocol,
        python=args.python,
        ssh_config=args.ssh_config,
        program=args.program,
    )
    return Session(
        open_target(args.on, options),
        runtime=args.runtime,
        boundary=Boundary(args.boundary),
        protocol=protocol,
        reference=(args.reference, named_design(args.reference)),
    )


def _dry_run(session: "Session", candidates: "list[Candidate]") -> int:
    for candidate in candidates:
        print(f"# {candidate.fingerprint}: exported to FOLDER, up to {session.attempts} times")
        print("\n".join(session.commands(Path("FOLDER")).lines()))
    return 0


def _lines(name: str, found: "Measurement") -> list[str]:
    row = found.row
    state = "" if row.stable else ", NOT STABLE"
    return [
        *(f"{name}: measured again, {said}" for said in found.complaints[: None if row.stable else -1]),
        f"{name} {row.height}x{row.width}  median {row.median_ms:.2f} ms  min {row.min_ms:.2f}  p90 {row.p90_ms:.2f}  "
        f"{row.runs} runs, {row.ratio:.3f} of {row.reference}{state}",
    ]

"""Make a device for `topformer latency` from rows of `topformer measure`.

One or two rows scale a known device; from three rows on the rates are fitted to the rows alone.
"""

import argparse
from pathlib import Path

from topformer.errors import InputError

EXAMPLE = "topformer calibrate --device pi5 rows.csv --out devices"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("rows", type=Path, nargs="+", metavar="ROWS.csv", help="files of measured rows")
    parser.add_argument("--device", required=True, metavar="NAME", help="what to call the device")
    parser.add_argument("--prior", default="snapdragon-865", metavar="NAME", help="known device that few rows scale")
    parser.add_argument(
        "--method", choices=["auto", "scale", "fit"], default="auto", help="auto: by the number of rows"
    )
    parser.add_argument("--out", type=Path, default=Path("devices"), metavar="FOLDER", help="writes FOLDER/NAME")
    parser.add_argument("--overwrite", action="store_true", help="replace a device of that name")


def run(args: argparse.Namespace) -> int:
    """Calibrate, show the errors before and after, write the device."""
    from experiments.measure.calibration import Method, calibrate, write_device
    from experiments.measure.rows import read_rows

    rows = [row for path in args.rows for row in read_rows(path)]
    if not rows:
        raise InputError(f"there are no rows in {', '.join(map(str, args.rows))}")
    found = calibrate(args.device, rows, prior=args.prior, method=Method(args.method))
    folder = write_device(found, args.out, overwrite=args.overwrite)
    print(found.render())
    print(f"use it: topformer latency base --device {folder if '/' in str(folder) else f'./{folder}'}")
    return 0

"""Make a device for `topformer latency` from rows of `topformer measure`.

One to three rows lean on the known devices that are most alike, or scale the one that `--prior` names; from four rows
on the rates are fitted to the rows alone. `--refit` fits the rows of a device's folder anew and writes its
coefficients.json, `--shipped` those of all devices of the project.
"""

import argparse
from pathlib import Path

from experiments.cli.parsing import place
from experiments.measure.protocol import UNITS
from topformer.errors import InputError

EXAMPLE = "topformer calibrate --device pi5 rows.csv --out devices"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("rows", type=place, nargs="*", metavar="ROWS.csv", help="files of measured rows")
    parser.add_argument("--device", metavar="NAME", help="what to call the device")
    parser.add_argument(
        "--prior", default=None, metavar="NAME", help="known device that few rows scale; all of them by default"
    )
    parser.add_argument(
        "--method", choices=["auto", "lean", "scale", "fit"], default="auto", help="auto: by the number of rows"
    )
    parser.add_argument(
        "--unit", choices=UNITS, default=None, help="unit of the times; milliseconds, checked, by default"
    )
    parser.add_argument("--out", type=place, default=Path("devices"), metavar="FOLDER", help="writes FOLDER/NAME")
    parser.add_argument("--overwrite", action="store_true", help="replace a device of that name")
    parser.add_argument("--refit", type=place, metavar="FOLDER", help="fit the rows of a device's folder anew")
    parser.add_argument("--shipped", action="store_true", help="fit those of every device of the project anew")


def run(args: argparse.Namespace) -> int:
    """Calibrate, show the errors before and after, write the device."""
    if args.shipped or args.refit:
        return _refit(args)
    if not args.rows or not args.device:
        raise InputError("calibrate needs ROWS.csv and --device NAME, or --refit FOLDER, or --shipped")
    from experiments.measure.calibration import Method, calibrate
    from experiments.measure.device_folder import write_device
    from experiments.measure.rows import read_rows

    rows = [row for path in args.rows for row in read_rows(path)]
    if not rows:
        raise InputError(f"there are no rows in {', '.join(map(str, args.rows))}")
    found = calibrate(args.device, rows, prior=args.prior, method=Method(args.method), unit=args.unit)
    folder = write_device(found, args.out, overwrite=args.overwrite)
    print(found.render())
    print(f"use it: topformer latency base --device {folder if '/' in str(folder) else f'./{folder}'}")
    return 0


def _refit(args: argparse.Namespace) -> int:
    if args.rows or args.device or (args.shipped and args.refit):
        raise InputError("--refit FOLDER and --shipped stand alone, without rows, --device or each other")
    from experiments.measure.device_folder import write_coefficients
    from search_space.latency.devices import devices, folder_of

    for folder in [folder_of(name) for name in devices()] if args.shipped else [args.refit]:
        model = write_coefficients(folder)
        coefficients = ", ".join(f"{name} {value:.4g}" for name, value in model.coefficients._asdict().items())
        print(f"{model.name}: {len(model.rows)} rows, left out {model.left_out_mean:.1%} on average; {coefficients}")
    return 0

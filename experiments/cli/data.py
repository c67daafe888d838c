"""Make the embedded data set, or check a data set in ADE20K layout."""

import argparse
import json
from pathlib import Path

from experiments.cli.arguments import add_json

EXAMPLE = "topformer data tokenworld --out data/tokenworld --size 128"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser(
        "tokenworld",
        help="write the embedded data set (docs/tokenworld.md)",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    make.add_argument("--out", type=Path, required=True, help="folder to write; an interrupted one is completed")
    make.add_argument("--size", type=int, default=128, help="side of the images in pixels")
    make.add_argument("--training", type=int, default=2000, help="number of training images")
    make.add_argument("--validation", type=int, default=300, help="number of validation images")
    make.add_argument("--seed", type=int, default=0, help="seed of the whole set")
    check = actions.add_parser("check", help="find missing, broken and inconsistent files before training")
    check.add_argument("folder", type=Path, help="folder with images/ and annotations/")
    check.add_argument("--classes", type=int, default=None, help="number of classes, if no file of the folder says so")
    check.add_argument("--sheet", type=Path, default=None, help="write a contact sheet with overlays to this PNG")
    add_json(check)


def run(args: argparse.Namespace) -> int:
    """Make or check."""
    return {"tokenworld": _make, "check": _check}[args.action](args)


def _make(args: argparse.Namespace) -> int:
    from rich.progress import Progress

    from experiments.data.tokenworld import write_tokenworld

    with Progress(transient=True) as bar:
        task = bar.add_task("images", total=None)
        root = write_tokenworld(
            args.out,
            size=args.size,
            training=args.training,
            validation=args.validation,
            seed=args.seed,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(root)
    return 0


def _check(args: argparse.Namespace) -> int:
    from experiments.data.datasets import check_folder, contact_sheet, open_folder

    report = check_folder(args.folder, classes=args.classes)
    print(json.dumps(report.to_json(), indent=2) if args.json else "\n".join(report.lines()))
    if args.sheet is not None:
        print(contact_sheet(open_folder(args.folder, classes=args.classes), 12, args.sheet))
    return 0

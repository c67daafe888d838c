"""List the known data sets, check one before training, convert original annotations, or make the embedded set."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

from experiments.cli.arguments import add_json
from experiments.cli.parsing import of, place
from experiments.cli.terminal import bar
from experiments.data.folders.known import KNOWN, KnownSet
from topformer.bounds import CLASSES, COUNT, NATURAL, SEED, SIDE, WORKERS

EXAMPLE = "topformer data check ade20k data/ade/ADEChallengeData2016 --sheet sheet.png"
_SHOWN = 12
"""Pairs on a contact sheet."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_list(actions)
    _add_check(actions)
    _add_convert(actions)
    _add_tokenworld(actions)


def _add_list(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    listed = actions.add_parser("list", help="show the known data sets, their sizes and layouts")
    add_json(listed)


def _add_check(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = actions.add_parser(
        "check",
        help="find missing, broken and inconsistent files before training",
        epilog=f"example: {EXAMPLE}",
    )
    check.add_argument("name", nargs="?", choices=sorted(KNOWN), help="what the folder must hold; told by its layout")
    check.add_argument("folder", type=place, help="folder of a known data set, or with images/ and annotations/")
    check.add_argument(
        "--classes", type=of(CLASSES), default=None, help="number of classes, if no file of the folder says so"
    )
    check.add_argument("--decode", type=_decode, default="all", metavar="N", help="pairs of each split to open")
    check.add_argument("--sheet", type=place, default=None, help="write a contact sheet with overlays to this PNG")
    add_json(check)


def _add_convert(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    convert = actions.add_parser(
        "convert",
        help="make the labels that mmsegmentation reads from the original annotations",
        epilog="example: topformer data convert coco-stuff-10k data/coco_stuff10k --out data/coco_stuff10k",
    )
    names = sorted({item.conversion for item in KNOWN.values() if item.converted})
    convert.add_argument("name", choices=names, help="the data set")
    convert.add_argument("source", type=place, help="folder with the unpacked downloads")
    convert.add_argument("--out", type=place, required=True, help="folder to write, which may be the source")
    convert.add_argument("--workers", type=of(WORKERS), default=4, help="threads")
    add_json(convert)


def _add_tokenworld(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    make = actions.add_parser(
        "tokenworld",
        help="write the embedded data set (docs/tokenworld.md)",
        epilog="example: topformer data tokenworld --out data/tokenworld --size 128",
    )
    make.add_argument("--out", type=place, required=True, help="folder to write; an interrupted one is completed")
    make.add_argument("--size", type=of(SIDE), default=128, help="side of the images in pixels")
    make.add_argument("--training", type=of(COUNT), default=2000, help="number of training images")
    make.add_argument("--validation", type=of(COUNT), default=300, help="number of validation images")
    make.add_argument("--seed", type=of(SEED), default=0, help="seed of the whole set")


def run(args: argparse.Namespace) -> int:
    """List, check, convert or make."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "list": _list,
        "check": _check,
        "convert": _convert,
        "tokenworld": _make,
    }
    return actions[args.action](args)


def _decode(text: str) -> int | Literal["all"]:
    return "all" if text == "all" else of(NATURAL)(text)


def _list(args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps([_as_json(item) for item in KNOWN.values()], indent=2))
        return 0
    for item in KNOWN.values():
        rule = "label 0" if item.reduce_zero_label else "nothing but 255"
        print(f"{item.name}: {item.num_classes} classes, {rule} is ignored, recipe {item.recipe}")
        print(f"  {item.expected()}".replace("\n", "\n  "), end="\n\n")
    return 0


def _as_json(item: KnownSet) -> dict[str, object]:
    splits = {name: asdict(split) for name, split in item.splits.items()}
    downloads = [asdict(download) for download in item.downloads]
    plain = ("name", "title", "reader", "num_classes", "ignore", "image_suffix", "label_suffix", "folder", "recipe")
    return {**{name: getattr(item, name) for name in plain}, "splits": splits, "downloads": downloads}


def _check(args: argparse.Namespace) -> int:
    from experiments.data.drawings import check_place
    from experiments.data.folders import check_folder, contact_sheet
    from experiments.data.folders.sheet import COMMAND

    if args.sheet is not None:
        check_place(args.sheet, COMMAND)
    with bar("pairs") as progress:
        report = check_folder(
            args.folder,
            classes=args.classes,
            dataset=args.name,
            decode=args.decode,
            progress=progress,
        )
    print(json.dumps(report.to_json(), indent=2) if args.json else "\n".join(report.lines()))
    if args.sheet is not None:
        path = contact_sheet(report.folder, _SHOWN, args.sheet)
        if not args.json:
            print(path)
    return 0


def _convert(args: argparse.Namespace) -> int:
    from experiments.data.conversion.convert import convert

    with bar("labels") as progress:
        done = convert(
            args.name,
            args.source,
            args.out,
            workers=args.workers,
            progress=progress,
        )
    if args.json:
        print(json.dumps({"out": str(args.out), **asdict(done)}))
    else:
        print(f"{args.out}: {done.made} label files made, {done.kept} were there")
    return 0


def _make(args: argparse.Namespace) -> int:
    from experiments.data.tokenworld.write import write_tokenworld

    with bar("images") as progress:
        root = write_tokenworld(
            args.out,
            size=args.size,
            training=args.training,
            validation=args.validation,
            seed=args.seed,
            progress=progress,
        )
    print(root)
    return 0

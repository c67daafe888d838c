"""Draw what a trained network sees in images: each beside its classes in colour, with a legend."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli.choices import add_design_and_data, chosen, opened, released
from experiments.cli.parsing import of, place
from topformer.bounds import CLASSES
from topformer.errors import DataError

if TYPE_CHECKING:
    from experiments.data.drawings import Colour
    from experiments.data.folders import SegmentationFolder

EXAMPLE = "topformer predict runs/train-base-ade20k-160k/weights.pt photos/ --design base --data data/ade20k --out seen"
COMMAND = "predict"
"""What a drawing says made it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("checkpoint", type=place, help="weights: ours, mmengine's or the release's")
    parser.add_argument("images", type=place, nargs="+", metavar="IMAGE_OR_FOLDER", help="images, or folders of them")
    add_design_and_data(parser)
    parser.add_argument("--data", type=place, default=None, help="data set that names the classes, if not the file")
    parser.add_argument("--classes", type=of(CLASSES), default=None, help="their number, if nothing names them")
    parser.add_argument("--out", type=place, required=True, metavar="FOLDER", help="folder for the drawings")
    parser.add_argument(
        "--maps",
        action="store_true",
        help="write class maps instead: PNG files of the labels of the data set in --data, which for Cityscapes are "
        "the ids of its server; without --data of the class numbers from 0",
    )


def run(args: argparse.Namespace) -> int:
    """Predict, draw, and print the files; an image that cannot be read is named, and the others are drawn."""
    from experiments.data.drawings import palette, write_drawing
    from experiments.data.images import read_image
    from experiments.data.maps import class_map, label_numbers
    from experiments.training.mmseg.predict import predictor
    from experiments.training.overlay import overlay
    from experiments.training.weights import trained_weights

    file = released(args)
    folder = opened(args, args.data, file) if args.data is not None else None
    drawings = places(images(args.images), args.out)
    design, recipe = chosen(args, folder, file)
    names, colours = _classes(args, folder, design.num_classes)
    design = replace(design, num_classes=len(names))
    state, _ = trained_weights(args.checkpoint, design)
    classes, unread = predictor(design, state, recipe), 0
    for path, drawn in drawings.items():
        try:
            image = read_image(path)
            predicted = classes(image)
        except DataError as error:
            print(f"topformer: {error}", file=sys.stderr, flush=True)
            unread += 1
            continue
        if args.maps:
            picture = class_map(predicted, label_numbers(folder, len(names)))
        else:
            picture = overlay(image, predicted, names, colours or palette(len(names)))
        write_drawing(picture, drawn, COMMAND)
        print(drawn, flush=True)
    if unread:
        print(f"topformer: {unread} of {len(drawings)} images were not drawn", file=sys.stderr)
    return 1 if unread else 0


def _classes(
    args: argparse.Namespace, folder: "SegmentationFolder | None", default: int
) -> "tuple[Sequence[str], list[Colour]]":
    """Names and colours of the classes: the data set's, else the checkpoint's, else numbers without colours."""
    from experiments.training.weights import peek_classes

    about: Mapping[str, Any] = (
        {"classes": folder.classes, "palette": folder.colours} if folder else peek_classes(args.checkpoint)
    )
    count = default if args.classes is None else args.classes
    names = about.get("classes") or [f"class-{k}" for k in range(count)]
    if len(names) < 2:
        raise DataError(f"a prediction needs at least 2 classes, got {len(names)}")
    return names, [(red, green, blue) for red, green, blue in about.get("palette") or ()]


def images(paths: list[Path]) -> list[Path]:
    """The images among the paths and in the folders among them.

    Raises:
        DataError: There is none, one does not exist or has another ending, or two would give one drawing.
    """
    from experiments.data.listing import IMAGE_SUFFIXES, accepted, files

    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} does not exist")
        inside = files(path, IMAGE_SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"{path} holds no image; {accepted(IMAGE_SUFFIXES)}")
        if inside[0].suffix.lower() not in IMAGE_SUFFIXES:
            raise DataError(f"the ending of {path} is not read; {accepted(IMAGE_SUFFIXES)}")
        found += inside
    twice = sorted({p.stem for p in found if sum(q.stem == p.stem for q in found) > 1})
    if twice:
        raise DataError(f"several images share the name {twice[0]}, and their drawings would too")
    return found


def places(found: list[Path], out: Path) -> dict[Path, Path]:
    """The drawing of each image, where nothing else is written over.

    Raises:
        DataError: A file is in the way.
    """
    from experiments.data.drawings import check_place

    if out.exists() and not out.is_dir():
        raise DataError(f"--out {out} must be a folder, and a file is there")
    drawings = {path: out / f"{path.stem}.png" for path in found}
    for drawn in drawings.values():
        check_place(drawn, COMMAND, found)
    return drawings

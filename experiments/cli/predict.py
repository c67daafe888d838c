"""Draw what a trained network sees in images: each beside its classes in colour, with a legend."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.cli.choices import add_design_and_data, chosen, opened, released
from experiments.cli.parsing import of, place
from topformer.bounds import CLASSES
from topformer.errors import DataError

EXAMPLE = "topformer predict runs/train-base-ade20k-160k/weights.pt photos/ --design base --data data/ade20k --out seen"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("checkpoint", type=place, help="weights: ours, mmengine's or the release's")
    parser.add_argument("images", type=place, nargs="+", metavar="IMAGE_OR_FOLDER", help="images, or folders of them")
    add_design_and_data(parser)
    parser.add_argument("--data", type=place, default=None, help="data set that names the classes, if not the file")
    parser.add_argument("--classes", type=of(CLASSES), default=None, help="their number, if nothing names them")
    parser.add_argument("--out", type=place, required=True, metavar="FOLDER", help="folder for the drawings")


def run(args: argparse.Namespace) -> int:
    """Predict, draw, and print the files."""
    from experiments.training.mmseg.predict import predict
    from experiments.training.overlay import overlay, palette
    from experiments.training.weights import peek_classes, trained_weights

    file = released(args)
    folder = opened(args, args.data, file) if args.data is not None else None
    design, recipe = chosen(args, folder, file)
    about: Mapping[str, Any] = (
        {"classes": folder.classes, "palette": folder.colours} if folder else peek_classes(args.checkpoint)
    )
    names = about.get("classes") or [f"class-{k}" for k in range(args.classes or design.num_classes)]
    design = replace(design, num_classes=len(names))
    state, _ = trained_weights(args.checkpoint, design)
    colours = about.get("palette") or palette(len(names))
    args.out.mkdir(parents=True, exist_ok=True)
    for path, image, predicted in predict(design, state, recipe, images(args.images)):
        drawn = args.out / f"{path.stem}.png"
        overlay(image, predicted, names, [(r, g, b) for r, g, b in colours]).save(drawn)
        print(drawn)
    return 0


def images(paths: list[Path]) -> list[Path]:
    """The images among the paths and in the folders among them.

    Raises:
        DataError: There is none, one does not exist, or two would give one drawing.
    """
    from experiments.data.folders.match import IMAGE_SUFFIXES

    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} does not exist")
        inside = sorted(p for p in path.glob("*") if p.suffix.lower() in IMAGE_SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"{path} holds no image; accepted: {', '.join(IMAGE_SUFFIXES)}")
        found += inside
    twice = sorted({p.stem for p in found if sum(q.stem == p.stem for q in found) > 1})
    if twice:
        raise DataError(f"several images share the name {twice[0]}, and their drawings would too")
    return found

"""Train a RetinaNet around a design on COCO with mmdetection, or say what it costs."""

import argparse
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.records.named_design import file_stem, named_design
from experiments.cli.arguments import add_design, add_json, add_loaders, add_start, read_source, size
from experiments.cli.parsing import of, place
from experiments.cli.trained import train_and_show
from topformer.bounds import CLASSES, COUNT, POSITIVE, SEED
from topformer.errors import StudyError

if TYPE_CHECKING:
    from experiments.training.detection.recipes import DetectionRecipe

EXAMPLE = "topformer detect train --data data/coco --design tiny --checkpoint topformer-T-224-66.2.pth"
PADDED = "800x1344"
"""An image of COCO resized into 1333 x 800 and padded to multiples of 32."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    train = actions.add_parser("train", help="train with mmdetection's 1x schedule", epilog=f"example: {EXAMPLE}")
    train.add_argument("--data", type=place, required=True, help="folder with annotations/, train2017/ and val2017/")
    add_design(train, "base")
    add_start(train)
    train.add_argument(
        "--epochs", type=of(COUNT), default=12, help="epochs; the learning rate falls after 8 and 11 twelfths"
    )
    train.add_argument(
        "--batch", type=of(COUNT), default=16, help="images per iteration; the learning rate scales with it"
    )
    train.add_argument("--learning-rate", type=of(POSITIVE), default=None, help="peak, if not the scaled one")
    train.add_argument(
        "--short-side", type=of(COUNT), default=800, metavar="PX", help="images are resized to this side"
    )
    train.add_argument("--sync-bn", action="store_true", help="synchronise BatchNorm over several devices")
    train.add_argument("--seed", type=of(SEED), default=0, help="seed of initialisation, data order and augmentation")
    add_loaders(train, 2, "processes per device that load data")
    train.add_argument("--out", type=place, default=None, help="folder of the run; runs/detect-DESIGN by default")
    train.add_argument("--print-config", action="store_true", help="print mmdetection's configuration and stop")
    cost = actions.add_parser(
        "cost", help="parameters and MACs of the detector", epilog="example: topformer detect cost tiny"
    )
    cost.add_argument("design", help="a preset, or a JSON file of a design")
    cost.add_argument("--size", default=PADDED, metavar="PX", help="HEIGHTxWIDTH of the padded image")
    cost.add_argument("--classes", type=of(CLASSES), default=80, help="classes of the detector")
    add_json(cost)


def run(args: argparse.Namespace) -> int:
    """Train or count."""
    return {"train": _train, "cost": _cost}[args.action](args)


def _cost(args: argparse.Namespace) -> int:
    from search_space.cost.detection import retinanet_cost

    height, width = size(args.size)
    parts = retinanet_cost(named_design(args.design), height, width, classes=args.classes)
    if args.json:
        print(json.dumps({name: asdict(part) for name, part in parts.items()}, indent=2))
        return 0
    print(f"{'':<10}{'parameters':>12}{'GMACs':>10}")
    for name, part in parts.items():
        print(f"{name:<10}{part.parameters:>12,}{part.macs / 1e9:>10.3f}")
    return 0


def _train(args: argparse.Namespace) -> int:
    from experiments.data.coco import TRAIN, open_coco
    from experiments.training.detection.recipes import configuration
    from experiments.training.mmseg.configuration import as_python

    design, folder = named_design(args.design), open_coco(args.data)
    source = read_source(args, args.checkpoint) or design
    recipe = _recipe(args, folder.images[TRAIN])
    if args.print_config:
        if args.checkpoint:
            raise StudyError(f"--print-config cannot start from {args.checkpoint}, whose names are not a detector's")
        print(as_python(configuration(design, recipe, folder, seed=args.seed, workers=args.workers)), end="")
        return 0
    from experiments.training.detection.train import train_detector
    from experiments.training.weights import start_lines

    out = args.out or Path("runs") / f"detect-{file_stem(args.design)}"
    train = partial(train_detector, design, recipe, folder, out, seed=args.seed, workers=args.workers)
    start = partial(start_lines, args.checkpoint, source, design) if args.checkpoint else None
    return train_and_show(partial(train, checkpoint=args.checkpoint, source=source), _lines, out, start=start)


def _recipe(args: argparse.Namespace, images: int) -> "DetectionRecipe":
    """The usual recipe with what the arguments change; the warm-up is at most a tenth of the iterations."""
    from experiments.training.detection.recipes import DetectionRecipe

    usual = DetectionRecipe()
    changed = replace(usual, epochs=args.epochs, batch=args.batch, synchronised=args.sync_bn)
    long, short = usual.scale
    scaled = usual.learning_rate * args.batch / usual.batch
    return replace(
        changed,
        learning_rate=scaled if args.learning_rate is None else args.learning_rate,
        warmup_iterations=min(usual.warmup_iterations, args.epochs * images // args.batch // 10),
        milestones=tuple(round(m * args.epochs / usual.epochs) for m in usual.milestones),
        scale=(round(long * args.short_side / short), args.short_side),
    )


def _lines(result: dict[str, Any]) -> list[str]:
    return [f"{name.upper():<5} {result[name]:>6.2f}" for name in ("ap", "ap50", "ap75")]

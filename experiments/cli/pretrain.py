"""Pre-train a design on ImageNet, or on any folder with one subfolder of images per class.

An interrupted training goes on when the same command is given again.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

from analysis.records.named_design import file_stem, named_design
from experiments.cli.arguments import add_design, add_loaders
from experiments.cli.parsing import of, place
from experiments.cli.trained import train_and_show
from experiments.training.classification.recipes import RECIPES, pretrain_recipe
from experiments.training.settings import DEVICES, PRECISIONS
from topformer.bounds import COUNT, POSITIVE, SEED, SIDE

EXAMPLE = "topformer pretrain --data data/imagenet --design mine.json --recipe adamw-300 --precision bfloat16"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--data", type=place, required=True, help="folder with train/CLASS/*.JPEG and val/CLASS/*.JPEG")
    add_design(parser, "base")
    parser.add_argument("--recipe", default="adamw-300", choices=sorted(RECIPES), help="see docs/pretraining.md")
    parser.add_argument("--epochs", type=of(COUNT), default=None, help="epochs, if not the recipe's")
    parser.add_argument(
        "--batch", type=of(COUNT), default=None, help="images per iteration; learning rates scale with it"
    )
    parser.add_argument(
        "--size", type=of(SIDE), default=None, metavar="PX", help="side of the input, if not the recipe's"
    )
    parser.add_argument("--learning-rate", type=of(POSITIVE), default=None, help="peak, if not the recipe's scaled one")
    parser.add_argument("--seed", type=of(SEED), default=0, help="seed of everything that is drawn")
    add_loaders(parser, 4, "processes per device that load data")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of the forward pass")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto takes CUDA if it can")
    parser.add_argument("--out", type=place, default=None, help="folder of the run; runs/pretrain-DESIGN by default")
    parser.add_argument("--print-config", action="store_true", help="print the settings as JSON and stop")


def run(args: argparse.Namespace) -> int:
    """Train, or print the settings."""
    from experiments.data.image_folder import open_class_folder
    from experiments.training.classification.train import pretrain, settings

    design = named_design(args.design)
    changes = {"epochs": args.epochs, "batch": args.batch, "size": args.size, "rate": args.learning_rate}
    recipe = pretrain_recipe(args.recipe, **changes)
    folder = open_class_folder(args.data)
    if args.print_config:
        print(json.dumps(settings(design, recipe, folder, seed=args.seed, precision=args.precision), indent=2))
        return 0
    out = args.out or Path("runs") / f"pretrain-{file_stem(args.design)}"
    machine = {"workers": args.workers, "precision": args.precision, "device": args.device}
    return train_and_show(partial(pretrain, design, recipe, folder, out, seed=args.seed, **machine), table, out)


def table(result: dict[str, Any]) -> list[str]:
    """Accuracies in percent as lines."""
    rows = (("averaged weights", "_ema"), ("last weights", ""))
    lines = [f"{name:<16}  {result[f'top1{s}']:>6.2f}  {result[f'top5{s}']:>6.2f}" for name, s in rows]
    return [f"{'':<16}  {'top-1':>6}  {'top-5':>6}", *lines]

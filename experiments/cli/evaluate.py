"""Score a trained network on a data set: mIoU, accuracies, and the IoU of every class."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.cli.arguments import add_json, whole
from experiments.cli.train import add_design, chosen, opened, released
from topformer.errors import StudyError

EXAMPLE = "topformer evaluate runs/train-base-ade20k-160k/weights.pt --data data/ade20k --design base"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("checkpoint", type=Path, help="weights: ours, mmengine's or the release's")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--split", default="validation", help="split to score")
    add_design(parser)
    parser.add_argument("--flip", action="store_true", help="average with the mirrored image")
    parser.add_argument("--scales", default="1", metavar="F,F", help="factors on the evaluation size, averaged")
    parser.add_argument("--workers", type=whole, default=0, help="processes that load data")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Score and print."""
    from experiments.training.mmseg.predict import evaluate
    from experiments.training.scores import as_json
    from experiments.training.weights import trained_weights

    file = released(args)
    folder, scales = opened(args, args.data, file), factors(args.scales)
    design, recipe = chosen(args, folder, file)
    design = replace(design, num_classes=folder.num_classes)
    state, _ = trained_weights(args.checkpoint, design)
    found = evaluate(
        design, state, recipe, folder, flip=args.flip, factors=scales, split=args.split, workers=args.workers
    )
    result = as_json(found, folder.classes)
    how = {"split": args.split, "flip": args.flip, "scales": list(scales), "size": list(recipe.evaluation_scale)}
    print(json.dumps({**result, **how}, indent=2) if args.json else "\n".join(table(result)))
    return 0


def factors(text: str) -> tuple[float, ...]:
    """The numbers of `0.5,1,1.5`.

    Raises:
        StudyError: The text has another form.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise StudyError(f"scales must be numbers with commas between them, such as 0.5,1,1.5, got {text!r}") from None


def table(result: Mapping[str, Any]) -> list[str]:
    """Scores in percent as lines: the IoU of every class, then the means."""
    per_class = result["per_class"]
    width = max(len(name) for name in (*per_class, "mIoU"))
    lines = [f"{name:<{width}}  {'absent' if iou is None else f'{iou:.2f}':>6}" for name, iou in per_class.items()]
    means = (("mIoU", "miou"), ("mAcc", "macc"), ("aAcc", "aacc"))
    return [*lines, "", *(f"{name:<{width}}  {result[key]:>6.2f}" for name, key in means)]

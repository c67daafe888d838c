"""Score a trained network on a data set: mIoU, accuracies, and the IoU of every class."""

import argparse
import json
from dataclasses import replace

from experiments.cli.arguments import add_json, add_loaders
from experiments.cli.choices import add_design_and_data, chosen, opened, released
from experiments.cli.parsing import place
from experiments.cli.score_table import score_table
from topformer.bounds import POSITIVE
from topformer.errors import StudyError
from topformer.schema import check

EXAMPLE = "topformer evaluate runs/train-base-ade20k-160k/weights.pt --data data/ade20k --design base"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("checkpoint", type=place, help="weights: ours, mmengine's or the release's")
    parser.add_argument("--data", type=place, required=True, help="folder of the data set")
    parser.add_argument("--split", default="validation", help="split to score")
    add_design_and_data(parser)
    parser.add_argument("--flip", action="store_true", help="average with the mirrored image")
    parser.add_argument("--scales", default="1", metavar="F,F", help="factors on the evaluation size, averaged")
    add_loaders(parser, 0, "processes that load data")
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
    print(json.dumps({**result, **how}, indent=2) if args.json else "\n".join(score_table(result)))
    return 0


def factors(text: str) -> tuple[float, ...]:
    """The numbers of `0.5,1,1.5`.

    Raises:
        StudyError: The text has another form.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise StudyError(f"scales must be numbers with commas between them, such as 0.5,1,1.5, got {text!r}") from None
    for factor in found:
        check("a scale", factor, POSITIVE, StudyError)
    return found

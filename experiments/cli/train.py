"""Train a network in full with mmsegmentation, as the release trained its own.

An interrupted training goes on when the same command is given again.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli.arguments import add_size, read_design, size
from experiments.training.recipes import MODELS, RECIPES

if TYPE_CHECKING:
    from experiments.training.recipes import Recipe
    from topformer.design import Design

EXAMPLE = "topformer train --data data/ade20k --design base --recipe ade20k-160k --checkpoint topformer-B-224-75.3.pth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set, in ADE20K layout")
    add_design(parser)
    parser.add_argument("--checkpoint", type=Path, default=None, metavar="FILE", help="weights to start from")
    parser.add_argument("--from-design", default=None, metavar="DESIGN", help="what these belong to; they are sliced")
    parser.add_argument("--iterations", type=int, default=None, help="updates, if not the recipe's")
    parser.add_argument("--batch", type=int, default=None, help="images per update, if not the recipe's")
    parser.add_argument("--seed", type=int, default=0, help="seed of initialisation, data order and augmentation")
    parser.add_argument("--workers", type=int, default=4, help="processes that load data")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="bfloat16 needs CUDA")
    parser.add_argument("--out", type=Path, default=None, help="folder of the run; runs/train-DESIGN-RECIPE by default")
    parser.add_argument("--print-config", action="store_true", help="print mmengine's configuration and stop")


def add_design(parser: argparse.ArgumentParser) -> None:
    """Add what names the network and its recipe."""
    parser.add_argument("--design", default="base", help="a preset, or a JSON file of a design")
    parser.add_argument("--recipe", default="ade20k-160k", choices=sorted(RECIPES), help="a recipe of the release")
    parser.add_argument("--model", choices=MODELS, default=None, help="whose numbers to take; the nearest by default")
    add_size(parser, None)


def chosen(args: argparse.Namespace) -> "tuple[Design, Recipe]":
    """The design and the recipe that the arguments of `add_design` name.

    Raises:
        DesignError: No such design, or an impossible size.
        StudyError: No such recipe.
    """
    from experiments.training.configuration import with_size
    from experiments.training.recipes import model_of, recipe

    design = read_design(args.design)
    found = recipe(args.recipe, args.model or model_of(design))
    return design, with_size(found, *size(args.size)) if args.size else found


def run(args: argparse.Namespace) -> int:
    """Train, or print the configuration."""
    from experiments.data.datasets import open_folder
    from experiments.training.configuration import as_python, mmengine_configuration, with_iterations

    design, recipe = chosen(args)
    recipe = replace(recipe, batch=recipe.batch if args.batch is None else args.batch)
    recipe = with_iterations(recipe, recipe.iterations if args.iterations is None else args.iterations)
    folder = open_folder(args.data)
    if args.print_config:
        initial = str(args.checkpoint) if args.checkpoint else None
        settings = {"seed": args.seed, "workers": args.workers, "precision": args.precision, "initial": initial}
        print(as_python(mmengine_configuration(design, recipe, folder, **settings)), end="")
        return 0
    from rich.progress import Progress

    from experiments.cli.evaluate import table
    from experiments.evaluators.mmseg_processes import rank
    from experiments.training.mmseg_train import train

    out = args.out or Path("runs") / f"train-{Path(args.design).stem}-{args.recipe}"
    with Progress(transient=True, disable=rank() > 0) as bar:
        task = bar.add_task("updates", total=recipe.iterations)
        result = train(
            design,
            recipe,
            folder,
            out,
            seed=args.seed,
            workers=args.workers,
            precision=args.precision,
            checkpoint=args.checkpoint,
            source=read_design(args.from_design) if args.from_design else None,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if rank() == 0:
        print("\n".join(table(result)))
        print(f"weights: {out / 'weights.pt'}")
    return 0

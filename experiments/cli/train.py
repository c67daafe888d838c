"""Train a network in full, as the release trained its own: with mmsegmentation, or faster with the lean loop.

An interrupted training goes on when the same command is given again.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli.arguments import add_size, read_design, size
from experiments.training.recipes import MODELS, RECIPES
from topformer.errors import StudyError

if TYPE_CHECKING:
    from experiments.data.datasets import SegmentationFolder
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
    parser.add_argument("--loop", choices=("mmseg", "lean"), default="mmseg", help="lean: one device, decoded data")
    parser.add_argument("--cache", type=Path, default=None, metavar="DIR", help="lean: decoded data; memory by default")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="lean: where it runs")
    parser.add_argument("--loss-stride", type=int, default=1, help="lean: the loss counts every so-many-th row, column")
    parser.add_argument("--compile", choices=("none", "inductor", "cudagraphs"), default="none", help="lean: by torch")
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
    if args.loop == "lean":
        return run_lean(args, design, recipe, folder)
    if args.print_config:
        initial = str(args.checkpoint) if args.checkpoint else None
        settings = {"seed": args.seed, "workers": args.workers, "precision": args.precision, "initial": initial}
        print(as_python(mmengine_configuration(design, recipe, folder, **settings)), end="")
        return 0
    from rich.progress import Progress

    from experiments.cli.evaluate import table
    from experiments.evaluators.mmseg_processes import rank
    from experiments.training.mmseg_train import train
    from experiments.training.weights import start_lines

    out = args.out or Path("runs") / f"train-{Path(args.design).stem}-{args.recipe}"
    source = read_design(args.from_design) if args.from_design else None
    if args.checkpoint and rank() == 0:
        wanted = replace(design, num_classes=folder.num_classes)
        print("\n".join(start_lines(args.checkpoint, source or wanted, wanted)), flush=True)
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
            source=source,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if rank() == 0:
        print("\n".join(table(result)))
        print(f"weights: {out / 'weights.pt'}")
    return 0


def run_lean(args: argparse.Namespace, design: "Design", recipe: "Recipe", folder: "SegmentationFolder") -> int:
    """Train with the lean loop.

    Raises:
        StudyError: mmengine's configuration is asked for, which this loop has not.
    """
    from rich.progress import Progress

    from experiments.cli.evaluate import table
    from experiments.training.lean_train import lean_settings, train_lean
    from experiments.training.weights import start_lines, starting_weights

    if args.print_config:
        raise StudyError("--print-config prints mmengine's configuration; --loop lean has none")
    names = ("precision", "device", "loss_stride", "compile")
    settings = lean_settings(recipe, **{name: getattr(args, name) for name in names})
    design = replace(design, num_classes=folder.num_classes)
    source = read_design(args.from_design) if args.from_design else design
    initial = None
    if args.checkpoint:
        print("\n".join(start_lines(args.checkpoint, source, design)), flush=True)
        initial, _ = starting_weights(args.checkpoint, source, design, seed=args.seed)
    out = args.out or Path("runs") / f"train-{Path(args.design).stem}-{args.recipe}-lean"
    with Progress(transient=True) as bar:
        task = bar.add_task("updates", total=recipe.iterations)
        result = train_lean(
            design,
            recipe,
            folder,
            out,
            seed=args.seed,
            settings=settings,
            initial=initial,
            cache=args.cache,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    print("\n".join(table(result)))
    print(f"weights: {out / 'weights.pt'}")
    return 0

"""Network, recipe and data set, as `train`, `evaluate` and `predict` are told of them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.records.named_design import named_design
from experiments.cli.arguments import add_design, add_size, size
from experiments.cli.parsing import place
from experiments.data.folders.known import KNOWN
from experiments.training.recipes import RECIPES
from topformer.errors import StudyError
from topformer.presets import MODELS, model_of

if TYPE_CHECKING:
    from experiments.data.folders import SegmentationFolder
    from experiments.training.recipes import Recipe
    from experiments.training.release.config import Released
    from topformer.design import Design

DESIGN, RECIPE = "base", "ade20k-160k"
"""What is trained where nothing says more."""


def add_design_and_data(parser: argparse.ArgumentParser) -> None:
    """Add what names the network, its recipe and the data set."""
    add_design(parser, None, f"; {DESIGN} by default")
    parser.add_argument("--recipe", default=None, choices=sorted(RECIPES), help="by default that of the data set")
    parser.add_argument("--model", choices=MODELS, default=None, help="whose numbers to take; the nearest by default")
    parser.add_argument(
        "--from-config", type=place, default=None, metavar="FILE", help="a file of the release says design and recipe"
    )
    parser.add_argument("--dataset", choices=sorted(KNOWN), default=None, help="what --data holds, if it is unclear")
    add_size(parser, None)


def released(args: argparse.Namespace) -> "Released | None":
    """What `--from-config` names.

    Raises:
        StudyError: The file cannot be used, or design or recipe are named as well.
    """
    from experiments.training.release.config import from_release_config

    if args.from_config is None:
        return None
    for name in ("design", "recipe", "model"):
        if getattr(args, name) is not None:
            raise StudyError(f"--from-config says design and recipe, got --{name} {getattr(args, name)} as well")
    return from_release_config(args.from_config)


def opened(args: argparse.Namespace, data: Path, file: "Released | None" = None) -> "SegmentationFolder":
    """The data set in a folder; where its layout serves several, `--recipe` or `--from-config` decides.

    Raises:
        DataError: The folder lacks something, or it is not clear what it holds.
    """
    from experiments.data.folders import open_folder

    hint = RECIPES[args.recipe].dataset if args.recipe else None
    return open_folder(data, dataset=args.dataset, hint=file.recipe.dataset if file else hint)


def chosen(
    args: argparse.Namespace, folder: "SegmentationFolder | None" = None, file: "Released | None" = None
) -> "tuple[Design, Recipe]":
    """The design and the recipe that the arguments of `add_design_and_data` name.

    Args:
        args: The arguments.
        folder: The data set; a known one has a recipe of its own.
        file: What `released` gives.

    Raises:
        DesignError: No such design, or an impossible size.
        StudyError: No such recipe.
    """
    from experiments.training.recipes import recipe, released_design, with_size

    if file is None:
        name, design = args.design or DESIGN, named_design(args.design or DESIGN)
        own = folder.source.recipe if folder and folder.source else RECIPE
        found = recipe(args.recipe or own, args.model or model_of(design))
        # The release changes the width of its networks, and Tiny's head, for one data set.
        design = released_design(found.name, name) if name in MODELS and found.width else design
    else:
        design, found = file.design, file.recipe
    return design, with_size(found, *size(args.size)) if args.size else found

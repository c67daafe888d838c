"""Train a network in full, as the release trained its own: with mmsegmentation, or faster with the lean loop.

An interrupted training goes on when the same command is given again.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli.arguments import add_size, add_start, read_design, read_source, seed, size, whole
from experiments.cli.bar import bar
from experiments.data.folders.known import KNOWN
from experiments.training.recipes import MODELS, RECIPES
from experiments.training.settings import COMPILERS, DEVICES, PRECISIONS
from topformer.errors import StudyError

if TYPE_CHECKING:
    from experiments.data.folders import SegmentationFolder
    from experiments.training.recipes import Recipe
    from experiments.training.release.config import Released
    from topformer.design import Design

EXAMPLE = "topformer train --data data/ade/ADEChallengeData2016 --design base --checkpoint topformer-B-224-75.3.pth"
DESIGN, RECIPE = "base", "ade20k-160k"
"""What is trained where nothing says more."""
_ONLY = {"mmseg": ("workers",), "lean": ("cache", "device", "loss_stride", "compile")}
"""Arguments that only one loop has."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--data", type=Path, default=None, help="folder of the data set; --from-config names one too")
    add_design(parser)
    add_start(parser)
    parser.add_argument("--iterations", type=int, default=None, help="iterations, if not the recipe's")
    parser.add_argument("--batch", type=int, default=None, help="images per iteration, if not the recipe's")
    parser.add_argument("--seed", type=seed, default=0, help="seed of initialisation, data order and augmentation")
    parser.add_argument("--workers", type=whole, default=None, help="mmseg: processes that load data; 4 by default")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="mmseg: bfloat16 needs CUDA")
    parser.add_argument("--loop", choices=("mmseg", "lean"), default="mmseg", help="lean: one device, decoded data")
    parser.add_argument("--cache", type=Path, default=None, metavar="DIR", help="lean: decoded data; memory by default")
    parser.add_argument("--device", choices=DEVICES, default=None, help="lean: where it runs; auto by default")
    parser.add_argument(
        "--loss-stride", type=int, default=None, help="lean: the loss counts every so-many-th row, column; 1 by default"
    )
    parser.add_argument("--compile", choices=COMPILERS, default=None, help="lean: by torch; none by default")
    parser.add_argument("--out", type=Path, default=None, help="folder of the run; runs/train-DESIGN-RECIPE by default")
    parser.add_argument("--print-config", action="store_true", help="print mmengine's configuration and stop")


def add_design(parser: argparse.ArgumentParser) -> None:
    """Add what names the network, its recipe and the data set."""
    parser.add_argument("--design", default=None, help="a preset, or a JSON file of a design; base by default")
    parser.add_argument("--recipe", default=None, choices=sorted(RECIPES), help="by default that of the data set")
    parser.add_argument("--model", choices=MODELS, default=None, help="whose numbers to take; the nearest by default")
    parser.add_argument(
        "--from-config", type=Path, default=None, metavar="FILE", help="a file of the release says design and recipe"
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
    """The design and the recipe that the arguments of `add_design` name.

    Args:
        args: The arguments.
        folder: The data set; a known one has a recipe of its own.
        file: What `released` gives.

    Raises:
        DesignError: No such design, or an impossible size.
        StudyError: No such recipe.
    """
    from experiments.training.recipes import model_of, recipe, released_design, with_size

    if file is None:
        name, design = args.design or DESIGN, read_design(args.design or DESIGN)
        own = folder.source.recipe if folder and folder.source else RECIPE
        found = recipe(args.recipe or own, args.model or model_of(design))
        # The release changes the width of its networks, and Tiny's head, for one data set.
        design = released_design(found.name, name) if name in MODELS and found.width else design
    else:
        design, found = file.design, file.recipe
    return design, with_size(found, *size(args.size)) if args.size else found


def run(args: argparse.Namespace) -> int:
    """Train, or print the configuration."""
    from experiments.training.mmseg.configuration import as_python, mmengine_configuration

    own, file = _own(args), released(args)
    checkpoint = args.checkpoint or (file.checkpoint if file else None)
    source = read_source(args, checkpoint)
    folder = _data(args, file)
    design, recipe = chosen(args, folder, file)
    names = ("batch", "iterations", "precision", "loss_stride")
    recipe = replace(recipe, **{name: value for name in names if (value := getattr(args, name)) is not None})
    machine = {name: value for name, value in own.items() if name != "loss_stride"}
    if args.print_config:
        settings: dict[str, Any] = {"seed": args.seed, **_start(args, file), **machine}
        print(as_python(mmengine_configuration(design, recipe, folder, **settings)), end="")
        return 0
    return _train(args, design, recipe, folder, checkpoint, source, machine)


def _own(args: argparse.Namespace) -> dict[str, Any]:
    """The values given to arguments that only the chosen loop has.

    Raises:
        StudyError: One of the other loop is given.
    """
    for loop, names in _ONLY.items():
        for name in names:
            value = getattr(args, name)
            if loop != args.loop and value is not None:
                raise StudyError(f"--{name.replace('_', '-')} {value} needs --loop {loop}, got --loop {args.loop}")
    return {name: value for name in _ONLY[args.loop] if (value := getattr(args, name)) is not None}


def _start(args: argparse.Namespace, file: "Released | None") -> dict[str, str]:
    """What a printed configuration starts from; a file of the release is taken at its word."""
    from experiments.training.weights import start_of_configuration

    if args.loop == "lean":
        raise StudyError("--print-config prints mmengine's configuration; --loop lean has none")
    if args.from_design is not None:
        raise StudyError(
            f"a configuration cannot slice weights, got --print-config and --from-design {args.from_design}"
        )
    if args.checkpoint is None:
        return {"pretrained": str(file.checkpoint)} if file and file.checkpoint else {}
    return start_of_configuration(args.checkpoint)


def _data(args: argparse.Namespace, file: "Released | None") -> "SegmentationFolder":
    from experiments.data.folders.folder import known_folder

    data: Path | None = args.data or (file.data if file else None)
    if data is None:
        raise StudyError("--data must name the folder of the data set")
    if args.print_config and file and not data.is_dir():
        return known_folder(data, KNOWN[file.recipe.dataset])
    return opened(args, data, file)


def _train(
    args: argparse.Namespace,
    design: "Design",
    recipe: "Recipe",
    folder: "SegmentationFolder",
    checkpoint: Path | None,
    source: "Design | None",
    machine: dict[str, Any],
) -> int:
    """Train with the loop that is asked for; of several processes the first one speaks."""
    from experiments.cli.evaluate import table
    from experiments.training.processes import rank
    from experiments.training.settings import Machine
    from experiments.training.train import train
    from experiments.training.weights import start_lines

    design = replace(design, num_classes=folder.num_classes)
    source = source or design
    out = args.out or _folder(args, recipe)
    if checkpoint and rank() == 0:
        print("\n".join(start_lines(checkpoint, source, design)), flush=True)
    with bar("iterations", hidden=rank() > 0) as progress:
        result = train(
            args.loop,
            design,
            recipe,
            folder,
            out,
            seed=args.seed,
            machine=Machine(**{"workers": 4, "checkpoint_every": 2000, **machine}),
            checkpoint=checkpoint,
            source=source,
            progress=progress,
        )
    if rank() == 0:
        print("\n".join(table(result)))
        print(f"weights: {out / 'weights.pt'}")
    return 0


def _folder(args: argparse.Namespace, recipe: "Recipe") -> Path:
    name = "" if args.from_config else f"{Path(args.design or DESIGN).stem}-"
    return Path("runs") / f"train-{name}{recipe.name}{'-lean' if args.loop == 'lean' else ''}"

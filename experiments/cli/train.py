"""Train a network in full, as the release trained its own: with mmsegmentation, or faster with the lean loop.

An interrupted training goes on when the same command is given again.
"""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.records.named_design import file_stem
from experiments.cli.arguments import add_loaders, add_start, read_source
from experiments.cli.choices import DESIGN, add_design_and_data, chosen, opened, released
from experiments.cli.parsing import of, place
from experiments.cli.trained import train_and_show
from experiments.data.folders.known import KNOWN
from experiments.training.settings import COMPILERS, DEVICES, PRECISIONS
from topformer.bounds import COUNT, SEED
from topformer.errors import StudyError

if TYPE_CHECKING:
    from experiments.data.folders import SegmentationFolder
    from experiments.training.recipes import Recipe
    from experiments.training.release.config import Released
    from topformer.design import Design

EXAMPLE = "topformer train --data data/ade/ADEChallengeData2016 --design base --checkpoint topformer-B-224-75.3.pth"
_ONLY = {"mmseg": ("workers",), "lean": ("cache", "device", "loss_stride", "compile")}
"""Arguments that only one loop has."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--data", type=place, default=None, help="folder of the data set; --from-config names one too")
    add_design_and_data(parser)
    add_start(parser)
    parser.add_argument(
        "--skip-classifier",
        action="store_true",
        help="load all of --checkpoint but the classifier, whose classes are others",
    )
    parser.add_argument("--iterations", type=of(COUNT), default=None, help="if not the recipe's")
    parser.add_argument("--batch", type=of(COUNT), default=None, help="images per iteration, if not the recipe's")
    parser.add_argument("--seed", type=of(SEED), default=0, help="seed of initialisation, data order and augmentation")
    add_loaders(parser, None, "mmseg: processes that load data; 4 by default")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="mmseg: bfloat16 needs CUDA")
    parser.add_argument("--loop", choices=("mmseg", "lean"), default="mmseg", help="lean: one device, decoded data")
    parser.add_argument(
        "--cache", type=place, default=None, metavar="DIR", help="lean: decoded data; memory by default"
    )
    parser.add_argument("--device", choices=DEVICES, default=None, help="lean: where it runs; auto by default")
    parser.add_argument(
        "--loss-stride",
        type=of(COUNT),
        default=None,
        help="lean: the loss counts every n-th row and column; 1 by default",
    )
    parser.add_argument("--compile", choices=COMPILERS, default=None, help="lean: by torch; none by default")
    parser.add_argument(
        "--out", type=place, default=None, help="folder of the run; runs/train-DESIGN-RECIPE by default"
    )
    parser.add_argument("--print-config", action="store_true", help="print mmengine's configuration and stop")


def run(args: argparse.Namespace) -> int:
    """Train, or print the configuration."""
    from experiments.training.mmseg.configuration import as_python, mmengine_configuration

    own, file = _own(args), released(args)
    checkpoint = args.checkpoint or (file.checkpoint if file else None)
    source = read_source(args, checkpoint)
    if args.skip_classifier and checkpoint is None:
        raise StudyError("--skip-classifier says what of --checkpoint is loaded, and there is no --checkpoint")
    if args.skip_classifier and args.print_config:
        raise StudyError("a configuration cannot leave tensors out, got --print-config and --skip-classifier")
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
    """Train with the loop that is asked for."""
    from experiments.cli.score_table import score_table
    from experiments.training.settings import Machine
    from experiments.training.train import train
    from experiments.training.weights import start_lines

    design = replace(design, num_classes=folder.num_classes)
    source = source or design
    out = args.out or _folder(args, recipe)
    skip = {"skip_classifier": args.skip_classifier}
    training = partial(
        train,
        args.loop,
        design,
        recipe,
        folder,
        out,
        seed=args.seed,
        machine=Machine(**{"workers": 4, "checkpoint_every": 2000, **machine}),
        checkpoint=checkpoint,
        source=source,
        **skip,
    )
    start = partial(start_lines, checkpoint, source, design, **skip) if checkpoint else None
    return train_and_show(training, score_table, out, start=start)


def _folder(args: argparse.Namespace, recipe: "Recipe") -> Path:
    name = "" if args.from_config else f"{file_stem(args.design or DESIGN)}-"
    return Path("runs") / f"train-{name}{recipe.name}{'-lean' if args.loop == 'lean' else ''}"

"""Arguments that several commands share, and how their text becomes values."""

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.records.named_design import FORMS, named_design, run_folder, sized_design
from experiments.cli.parsing import of, place
from experiments.engines import ENGINES, LOCAL, engine_maker
from search_space.candidate import Candidate
from search_space.latency.devices import devices
from topformer.bounds import CLASSES, LOADERS
from topformer.deployment.boundary import Boundary
from topformer.design import Design
from topformer.errors import DesignError, InputError
from topformer.presets import presets

if TYPE_CHECKING:
    from experiments.engines.engine import EngineMaker

DEVICE = "snapdragon-865"
"""That of the paper's latencies."""
SIZE = "512"
"""Input of the paper's networks on ADE20K."""
OWN_SIZE = f"; by default that of a record, {SIZE} of any other design"


def add_candidate(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add the arguments that name a design and its input size."""
    parser.add_argument("design", help=f"{FORMS}{more}; presets: {', '.join(presets())}")
    add_size(parser, None, OWN_SIZE)
    parser.add_argument("--classes", type=of(CLASSES), default=None, help="classes of the logits, if not the design's")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the run folder that a command reads."""
    parser.add_argument("run", type=place, help="a run folder, with its records.jsonl, or its name under runs/")


def found_run(named: Path) -> Path:
    """The folder that `add_run` names: as it stands, else under `runs/`.

    Raises:
        DesignError: There is neither such a folder, nor a run of that name.
    """
    return named if named.is_dir() else run_folder(str(named))


def add_design(parser: argparse.ArgumentParser, default: str | None, more: str = "") -> None:
    """Add `--design`."""
    parser.add_argument("--design", default=default, help=f"{FORMS}{more}")


def add_size(parser: argparse.ArgumentParser, default: str | None, more: str = "") -> None:
    """Add `--size`."""
    parser.add_argument("--size", default=default, metavar="PX", help=f"input size: 512, or HEIGHTxWIDTH{more}")


def add_device(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add `--device`, that of a latency."""
    text = f"{meaning}: a folder, or one that ships: {', '.join(devices())}"
    parser.add_argument("--device", default=DEVICE, metavar="NAME", help=text)


def add_start(parser: argparse.ArgumentParser) -> None:
    """Add what a training starts from."""
    parser.add_argument("--checkpoint", type=place, default=None, metavar="FILE", help="weights to start from")
    parser.add_argument("--from-design", default=None, metavar="DESIGN", help="what these belong to; they are sliced")


def add_loaders(parser: argparse.ArgumentParser, default: int | None, meaning: str) -> None:
    """Add `--workers`, processes that load data."""
    parser.add_argument("--workers", type=of(LOADERS), default=default, help=meaning)


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add what says where evaluations run."""
    known = "; ".join(f"{name}: {entry.help}" for name, entry in ENGINES.items())
    parser.add_argument("--engine", choices=list(ENGINES), default=LOCAL, help=f"where evaluations run. {known}")
    parser.add_argument(
        "--address",
        default=None,
        metavar="HOST:PORT",
        help="with --engine ray: the cluster, or auto for one that runs here; one is started for the run by default",
    )


def engine(args: argparse.Namespace) -> "EngineMaker":
    """What makes the engine that the arguments of `add_engine` name.

    Raises:
        InputError: An address for an engine that has none.
    """
    return engine_maker(args.engine, args.address)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_boundary(parser: argparse.ArgumentParser) -> None:
    """Add `--boundary`."""
    parser.add_argument(
        "--boundary",
        choices=[boundary.value for boundary in Boundary],
        default=Boundary.LOGITS.value,
        help="where the graph ends: at the logits, at the logits resized to the image, at the class of every pixel, at "
        "the class of every place of the logits, repeated to the image",
    )


def read_source(args: argparse.Namespace, checkpoint: Path | None) -> Design | None:
    """The design that a checkpoint belongs to, if it is not that which is trained.

    Raises:
        DesignError: No such design.
        InputError: There is no checkpoint.
    """
    if args.from_design is None:
        return None
    if checkpoint is None:
        raise InputError(f"--from-design says what --checkpoint holds, got {args.from_design} without a --checkpoint")
    return named_design(args.from_design)


def candidate(args: argparse.Namespace) -> Candidate:
    """The candidate that the arguments of `add_candidate` name.

    Raises:
        DesignError: No such preset or file, a design that cannot be built, or an impossible size.
    """
    found = sized(args.design, common_size(args.size, args.design))
    return found if args.classes is None else replace(found, design=replace(found.design, num_classes=args.classes))


def sized(design: str, pixels: tuple[int, int]) -> Candidate:
    """The design of that name at an input size, height before width; errors as in `candidate`."""
    height, width = pixels
    return Candidate(design=named_design(design), height=height, width=width)


def common_size(given: str | None, *designs: str) -> tuple[int, int]:
    """Height and width in pixels: as given, else as the designs were recorded.

    Raises:
        DesignError: The text has another form, or the designs were recorded at several sizes.
    """
    recorded = {} if given is not None else {text: sized_design(text).size for text in designs}
    sizes = {found: text for text, found in recorded.items() if found is not None}
    if len(sizes) > 1:
        several = ", ".join(f"{text} at {height}x{width}" for (height, width), text in sizes.items())
        raise DesignError(f"--size must say one size, as the designs were recorded at {len(sizes)}: {several}")
    return next(iter(sizes)) if sizes else size(SIZE if given is None else given)


def size(text: str) -> tuple[int, int]:
    """Height and width in pixels of `512` or `512x1024`.

    Raises:
        DesignError: The text has another form.
    """
    match = re.fullmatch(r"([0-9]{1,9})(?:x([0-9]{1,9}))?", text)
    if not match:
        raise DesignError(f"size must be a number of pixels or HEIGHTxWIDTH, got {text!r}")
    height = int(match[1])
    return height, int(match[2] or height)

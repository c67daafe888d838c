"""Arguments that several commands share, and how their text becomes values."""

import argparse
import json
import math
import re
from dataclasses import replace
from pathlib import Path

from search_space.candidate import Candidate
from topformer.codec import from_json
from topformer.design import Design
from topformer.errors import DesignError, InputError
from topformer.presets import preset


def add_candidate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a design and its input size."""
    parser.add_argument("design", help="a preset (tiny, tiny-dense, small, base, nano) or a JSON file of a design")
    add_size(parser, "512")
    parser.add_argument("--classes", type=int, default=None, help="classes of the logits, if not the design's")


def add_size(parser: argparse.ArgumentParser, default: str | None) -> None:
    """Add `--size`."""
    parser.add_argument("--size", default=default, metavar="PX", help="input size: 512, or HEIGHTxWIDTH")


def add_start(parser: argparse.ArgumentParser) -> None:
    """Add what a training starts from."""
    parser.add_argument("--checkpoint", type=Path, default=None, metavar="FILE", help="weights to start from")
    parser.add_argument("--from-design", default=None, metavar="DESIGN", help="what these belong to; they are sliced")


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
    return read_design(args.from_design)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def whole(text: str) -> int:
    """An integer of at least 0, for `type=` of an argument.

    Raises:
        ArgumentTypeError: The text is no such number.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be an integer of at least 0, got {text!r}")
    return int(text)


def seed(text: str) -> int:
    """A seed that every library takes, for `type=` of an argument.

    Raises:
        ArgumentTypeError: The text is no integer from 0 to 2**32 - 1.
    """
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"must be an integer from 0 to {2**32 - 1}, got {text!r}")
    return int(text)


def positive(text: str) -> float:
    """A finite number above 0, for `type=` of an argument.

    Raises:
        ArgumentTypeError: The text is no such number.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number above 0, got {text!r}")
    return number


def candidate(args: argparse.Namespace) -> Candidate:
    """The candidate that the arguments of `add_candidate` name.

    Raises:
        DesignError: No such preset or file, a design that cannot be built, or an impossible size.
    """
    design = read_design(args.design)
    if args.classes is not None:
        design = replace(design, num_classes=args.classes)
    height, width = size(args.size)
    return Candidate(design=design, height=height, width=width)


def read_design(text: str) -> Design:
    """The preset of that name, or the design in the JSON file of that name.

    A record of a run is such a file too: its key `design` is read.

    Raises:
        DesignError: Neither a preset nor a readable design.
    """
    path = Path(text)
    if path.suffix != ".json":
        return preset(text)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DesignError(f"design file {text}: {error.strerror}") from None
    except ValueError as error:
        raise DesignError(f"design file {text} is not JSON: {error}") from None
    return from_json(value.get("design", value) if isinstance(value, dict) else value)


def size(text: str) -> tuple[int, int]:
    """Height and width in pixels of `512` or `512x1024`.

    Raises:
        DesignError: The text has another form.
    """
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    if not match:
        raise DesignError(f"size must be a number of pixels or HEIGHTxWIDTH, got {text!r}")
    height = int(match[1])
    return height, int(match[2] or height)

"""Designs as users name them: a preset, or a JSON file."""

import json
from pathlib import Path

from topformer.codec import from_json, to_json
from topformer.design import Design
from topformer.errors import DesignError
from topformer.files import MIB, parse_json, read_json, write_text
from topformer.presets import preset

LARGEST = MIB
"""Bytes of such a file; Base has two thousand."""


def read_design(text: str) -> Design:
    """The preset of that name, or the design in the JSON file of that name.

    A record of a run is such a file too: its key `design` is read.

    Raises:
        DesignError: Neither a preset nor a readable design.
    """
    path = Path(text)
    if path.suffix != ".json":
        return preset(text)
    value = read_json(path, what="design file", error=DesignError, most=LARGEST)
    return from_json(value.get("design", value) if isinstance(value, dict) else value)


def parse_design(text: str) -> Design:
    """The design in a JSON text, such as a cell of a table.

    Raises:
        DesignError: The text is no JSON, or no network can be built of it.
    """
    return from_json(parse_json(text, "the design", DesignError))


def write_design(path: Path, design: Design) -> None:
    """Write a design as a file that `read_design` reads, in a folder that is made where there is none.

    Raises:
        StorageError: The disk does not take it.
    """
    write_text(path, json.dumps(to_json(design), indent=2) + "\n")

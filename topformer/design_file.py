"""Designs as users name them: a preset, or JSON in a file or as it is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from topformer.codec import fingerprint, fingerprints, from_json, to_json
from topformer.design import Design
from topformer.errors import DesignError, shown
from topformer.files import MIB, parse_json, read_json, write_text
from topformer.kinds import is_integer
from topformer.presets import preset

LARGEST = MIB
"""Bytes of such a file; Base has two thousand."""


class SizedDesign(NamedTuple):
    """A design, and the input size that goes with it.

    Attributes:
        design: The network.
        size: Height and width in pixels, where it came with a record; None for a design alone.
    """

    design: Design
    size: tuple[int, int] | None


def read_design(text: str) -> Design:
    """The design that `read_sized` reads; errors as there."""
    return read_sized(text).design


def read_sized(text: str) -> SizedDesign:
    """The preset of that name, the design in the JSON file of that name, or that of a JSON text.

    A record of a run is such JSON too: its keys `design`, `height` and `width` are read.

    Raises:
        DesignError: Neither a preset nor a readable design.
    """
    path = Path(text)
    if text.lstrip().startswith("{"):
        value = parse_json(text, "the design", DesignError)
    elif path.suffix.lower() == ".json":
        value = read_json(path, what="design file", error=DesignError, most=LARGEST)
    else:
        return SizedDesign(preset(text), None)
    if not isinstance(value, dict) or "design" not in value:
        return SizedDesign(from_json(value), None)
    design, size = from_json(value["design"]), _size(value)
    named = value.get("fingerprint")
    if named is not None and str(named).partition("@")[0] not in fingerprints(design):
        raise DesignError(f"fingerprint {shown(named)} of the record is not that of its design, {fingerprint(design)}")
    return SizedDesign(design, size)


def _size(record: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of a record, where it has them."""
    sides = [record[name] for name in ("height", "width") if name in record]
    if not sides:
        return None
    if len(sides) == 1 or not all(map(is_integer, sides)):
        raise DesignError(f"height and width of a record must both be integers, got {shown(sides)}")
    return sides[0], sides[1]


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

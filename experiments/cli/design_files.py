"""Designs as files that every command takes, each by the name of its fingerprint."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from topformer.codec import fingerprint
from topformer.design import Design
from topformer.design_file import read_design, write_design
from topformer.errors import InputError
from topformer.files import check_place


def write_designs(folder: Path, designs: Iterable[Design], command: str) -> list[Path]:
    """Write each design as `FINGERPRINT.json`; gives the files in the order of the designs.

    Args:
        folder: It is made where there is none.
        designs: The designs.
        command: What a message calls their maker.

    Raises:
        InputError: A file of that name holds something else.
        StorageError: The disk does not take them.
    """
    files = []
    for design in designs:
        path = folder / f"{fingerprint(design)}.json"
        check_place(path, partial(_holds, design=design), (), made=f"design of topformer {command}")
        write_design(path, design)
        files.append(path)
    return files


def _holds(path: Path, design: Design) -> bool:
    """Whether a file holds a design: an earlier output of the same command."""
    try:
        return fingerprint(read_design(str(path))) == fingerprint(design)
    except InputError:
        return False

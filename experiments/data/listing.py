"""Which files of a folder count: the one rule for data sets, folders of classes and images to predict.

Endings are told apart in any case. Files and folders that a system leaves behind on its own are not there: names that
begin with a dot (such as `._a.jpg` of macOS and `.ipynb_checkpoints`), and those of `LEFT_BEHIND`. Only files directly
in a folder count; folders inside it are not looked into, but where the layout of a known data set has them.
"""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from topformer.errors import DataError
from topformer.files import MIB, read_text

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
LABEL_SUFFIXES = (".png",)

LARGEST_LIST = 256 * MIB
"""Bytes of a list of names: a million long paths."""
LEFT_BEHIND = frozenset({"__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini"})
"""What macOS, Synology's servers and Windows add to folders."""

_OTHER_SUFFIXES = frozenset(
    {
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".jp2",
        ".jpg",
        ".jpeg",
        ".npy",
        ".pgm",
        ".png",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    }
)
"""Endings of files that were probably meant to be read."""


def visible(folder: Path) -> list[Path]:
    """What is in a folder, sorted, without what a system left behind; nothing where there is no folder."""
    return [folder / entry.name for entry in _entries(folder)]


def visible_below(folder: Path) -> list[Path]:
    """The files in a folder and in all folders below it, sorted, without what a system left behind."""
    found: list[Path] = []
    for entry in _entries(folder):
        found += visible_below(folder / entry.name) if entry.is_dir() else [folder / entry.name]
    return found


def files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files directly in a folder that have one of these endings, in any case, sorted."""
    found = ((folder / entry.name, entry) for entry in _entries(folder))
    return [path for path, entry in found if path.suffix.lower() in suffixes and not entry.is_dir()]


def folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, sorted."""
    return [folder / entry.name for entry in _entries(folder) if entry.is_dir()]


def others(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files directly in a folder that look like images or labels and have none of these endings."""
    return files(folder, _OTHER_SUFFIXES.difference(suffixes))


def _entries(folder: Path) -> "list[os.DirEntry[str]]":
    """Sorted by name; the system tells files from folders without a look at each of them."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as found:
        return sorted((entry for entry in found if not _hidden(entry.name)), key=lambda entry: entry.name)


def names_listed(path: Path, cure: str = "") -> list[str]:
    """The lines of a list of names, without white space around them; empty lines count for nothing.

    Args:
        path: The file.
        cure: What the message of an error ends with.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        lines = read_text(path, what="list of names", error=DataError, most=LARGEST_LIST).splitlines()
    except DataError as error:
        raise DataError(f"{error}{cure}") from None
    return [line.strip() for line in lines if line.strip()]


def accepted(suffixes: Iterable[str]) -> str:
    """The endings as a message names them."""
    return f"accepted: {', '.join(suffixes)}, in any case"


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in LEFT_BEHIND

"""Which files of a folder count: the one rule for data sets, folders of classes and images to predict.

Endings are told apart in any case. Files and folders that a system leaves behind on its own are not there: names that
begin with a dot (such as `._a.jpg` of macOS and `.ipynb_checkpoints`), and those of `LEFT_BEHIND`. Only files directly
in a folder count; folders inside it are not looked into, but where the layout of a known data set has them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from topformer.errors import DataError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
LABEL_SUFFIXES = (".png",)

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
    return sorted(path for path in folder.glob("*") if not _hidden(path.name))


def visible_below(folder: Path) -> list[Path]:
    """The files in a folder and in all folders below it, sorted, without what a system left behind."""
    found = (path for path in folder.rglob("*") if not any(map(_hidden, path.relative_to(folder).parts)))
    return sorted(path for path in found if path.is_file())


def files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files directly in a folder that have one of these endings, in any case, sorted."""
    return [path for path in visible(folder) if path.suffix.lower() in suffixes and not path.is_dir()]


def folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, sorted."""
    return [path for path in visible(folder) if path.is_dir()]


def others(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files directly in a folder that look like images or labels and have none of these endings."""
    wanted = _OTHER_SUFFIXES.difference(suffixes)
    return [path for path in visible(folder) if path.suffix.lower() in wanted and not path.is_dir()]


def names_listed(path: Path, cure: str = "") -> list[str]:
    """The lines of a list of names, without white space around them; empty lines count for nothing.

    Args:
        path: The file.
        cure: What the message of an error ends with.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}{cure}") from None
    return [line.strip() for line in lines if line.strip()]


def accepted(suffixes: Iterable[str]) -> str:
    """The endings as a message names them."""
    return f"accepted: {', '.join(suffixes)}, in any case"


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in LEFT_BEHIND

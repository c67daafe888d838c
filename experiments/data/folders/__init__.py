"""Data sets on disk: open, check, load and show folders of images and labels.

The names below load when they are first used: the tables beside them (`known`) need no numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.data.folders.check import CheckReport, check_folder, inspect_folder
    from experiments.data.folders.folder import IGNORED, SegmentationFolder, load_split, open_folder
    from experiments.data.folders.match import Pair
    from experiments.data.folders.sheet import contact_sheet
    from experiments.data.images import Pixels, read_image, read_label

_HOME = {
    "IGNORED": "folders.folder",
    "CheckReport": "folders.check",
    "Pair": "folders.match",
    "Pixels": "images",
    "SegmentationFolder": "folders.folder",
    "check_folder": "folders.check",
    "contact_sheet": "folders.sheet",
    "inspect_folder": "folders.check",
    "load_split": "folders.folder",
    "open_folder": "folders.folder",
    "read_image": "images",
    "read_label": "images",
}

__all__ = [
    "IGNORED",
    "CheckReport",
    "Pair",
    "Pixels",
    "SegmentationFolder",
    "check_folder",
    "contact_sheet",
    "inspect_folder",
    "load_split",
    "open_folder",
    "read_image",
    "read_label",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"experiments.data.{_HOME[name]}"), name)

"""Data sets on disk: open, check, read and show folders of images and labels.

The names below load when they are first used: the command line asks for the known data sets only.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.data.folders.check import check_folder, inspect_folder
    from experiments.data.folders.folder import SegmentationFolder, known_folder, open_folder
    from experiments.data.folders.known import KNOWN, TRAINING, VALIDATION, KnownSet
    from experiments.data.folders.labels import IGNORED, Labelling
    from experiments.data.folders.match import Pair, find_pairs
    from experiments.data.folders.ready import check_ready
    from experiments.data.folders.report import CheckReport
    from experiments.data.folders.sheet import contact_sheet

_HOME = {
    "IGNORED": "labels",
    "KNOWN": "known",
    "TRAINING": "known",
    "VALIDATION": "known",
    "CheckReport": "report",
    "KnownSet": "known",
    "Labelling": "labels",
    "Pair": "match",
    "SegmentationFolder": "folder",
    "check_folder": "check",
    "check_ready": "ready",
    "contact_sheet": "sheet",
    "find_pairs": "match",
    "inspect_folder": "check",
    "known_folder": "folder",
    "open_folder": "folder",
}

__all__ = [
    "IGNORED",
    "KNOWN",
    "TRAINING",
    "VALIDATION",
    "CheckReport",
    "KnownSet",
    "Labelling",
    "Pair",
    "SegmentationFolder",
    "check_folder",
    "check_ready",
    "contact_sheet",
    "find_pairs",
    "inspect_folder",
    "known_folder",
    "open_folder",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

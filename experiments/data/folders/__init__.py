"""Data sets on disk: open, check, load and show folders of images and labels."""

from experiments.data.folders.check import CheckReport, check_folder, inspect_folder
from experiments.data.folders.folder import IGNORED, SegmentationFolder, load_split, open_folder
from experiments.data.folders.match import Pair
from experiments.data.folders.sheet import contact_sheet
from experiments.data.images import Pixels, read_image, read_label

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

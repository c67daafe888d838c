"""Data sets on disk: open, check, load and show folders of images and labels."""

from experiments.data.datasets_check import CheckReport, check_folder, inspect_folder
from experiments.data.datasets_files import Pixels, read_image, read_label
from experiments.data.datasets_folder import IGNORED, SegmentationFolder, load_split, open_folder
from experiments.data.datasets_match import Pair
from experiments.data.datasets_sheet import contact_sheet

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

"""Reads the original annotations: MATLAB files, the JSON file of PASCAL in Detail, and label images."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from topformer.errors import DataError
from topformer.files import LARGEST_ANNOTATIONS, read_json

_BROKEN = (OSError, ValueError, TypeError, IndexError, NotImplementedError, MatReadError, zlib.error)
"""What scipy raises for a file that is missing, cut off, no MATLAB file, or of MATLAB 7.3."""


def read_mat(path: Path, field: str) -> npt.NDArray[Any]:
    """A map of labels in a MATLAB file: (height, width), non-negative integers.

    Raises:
        DataError: The file cannot be read, or has no such map.
    """
    try:
        content = loadmat(path, variable_names=[field])
    except _BROKEN as error:
        raise DataError(f"{path} cannot be read as a MATLAB file: {error}") from None
    if field not in content:
        raise DataError(f"{path} has no {field}")
    labels: npt.NDArray[Any] = content[field]
    whole = labels.astype(np.int64) if labels.ndim == 2 and labels.dtype.kind in "iuf" else None
    if whole is None or (whole != labels).any() or whole.min(initial=0) < 0:
        raise DataError(f"{path}: {field} must be a map of whole numbers of at least 0")
    return whole


@dataclass(frozen=True, slots=True)
class DetailImage:
    """An image of PASCAL in Detail.

    Attributes:
        name: Its file name without suffix.
        phase: `train`, `val` or `test`.
        size: Height and width.
        regions: Category and run lengths of each region; later ones lie over earlier ones.
    """

    name: str
    phase: str
    size: tuple[int, int]
    regions: tuple[tuple[int, str | Sequence[int]], ...]

    def labels(self, path: Path) -> npt.NDArray[Any]:
        """The category of every pixel, 0 where there is none: (height, width).

        Raises:
            DataError: The runs of a region do not fill the image; `path` is the file that they come from.
        """
        height, width = self.size
        found = np.zeros(height * width, np.int64)
        for category, runs in self.regions:
            lengths = decode_runs(runs) if isinstance(runs, str) else list(runs)
            if sum(lengths) != height * width or min(lengths, default=0) < 0:
                raise DataError(f"{path}: a region of {self.name} does not have the image's {width} x {height} px")
            found[np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)] = category
        return found.reshape((height, width), order="F")


def decode_runs(text: str) -> list[int]:
    """Run lengths of COCO's compressed masks: background and object in turn, down the columns.

    Every character holds five bits, the lowest first, and says by a sixth whether more follow; from the fourth number
    on, the difference to the number two before is stored.

    Reference: maskApi.c of github.com/cocodataset/cocoapi.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            signed = value - (1 << shift) if bits & 16 else value
            runs.append(signed + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def read_detail(path: Path) -> tuple[DetailImage, ...]:
    """The images of `trainval_merged.json` with their regions.

    Its `images` have `image_id`, `file_name`, `phase`, `height` and `width`; its `annos_segmentation` have `image_id`,
    `category_id` and `segmentation`, a mask of COCO.

    Raises:
        DataError: The file cannot be read or has another form.
    """
    try:
        content = read_json(path, error=DataError, most=LARGEST_ANNOTATIONS)
        regions: dict[Any, list[tuple[int, str | Sequence[int]]]] = {}
        for region in content["annos_segmentation"]:
            regions.setdefault(region["image_id"], []).append(_region(region))
        return tuple(_image(image, regions) for image in content["images"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is no annotation file of PASCAL in Detail; missing or wrong: {error}") from None


def _region(region: Mapping[str, Any]) -> tuple[int, str | Sequence[int]]:
    return int(region["category_id"]), region["segmentation"]["counts"]


def _image(image: Mapping[str, Any], regions: Mapping[Any, list[tuple[int, str | Sequence[int]]]]) -> DetailImage:
    return DetailImage(
        name=Path(image["file_name"]).stem,
        phase=image["phase"],
        size=(int(image["height"]), int(image["width"])),
        regions=tuple(regions.get(image["image_id"], ())),
    )

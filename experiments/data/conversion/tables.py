"""From the labels of the originals to those that mmsegmentation reads, as tables, and how they are applied."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.data.folders import IGNORED
from experiments.data.images import Pixels
from topformer.errors import DataError

_COCO_LABELS = 182
_COCO_ABSENT = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91})
"""Things of COCO without any segmentation, such as hat and shoe (README of github.com/nightrome/cocostuff)."""
_COCO_USED = tuple(label for label in range(1, _COCO_LABELS + 1) if label not in _COCO_ABSENT)

COCO_STUFF_10K: Mapping[int, int] = MappingProxyType(
    {0: 0, **{label: number for number, label in enumerate(_COCO_USED, start=1)}}
)
"""Labels 0 (unlabelled) to 182 to 0 (ignored) to 171."""

COCO_STUFF_164K: Mapping[int, int] = MappingProxyType(
    {IGNORED: IGNORED, **{label - 1: number for number, label in enumerate(_COCO_USED)}}
)
"""The same labels less one, 255 where unlabelled, to 0 to 170."""

_CONTEXT_LABELS = 459
_CONTEXT_USED = (
    *(2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144, 158),
    *(159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366),
    *(368, 397, 415, 416, 420, 424, 427, 440, 445, 454, 458),
)
"""Numbers of the 59 classes among the 459, in alphabetical order of their names."""

CONTEXT_MERGED: Mapping[int, int] = MappingProxyType(
    {0: 0, **{label: number for number, label in enumerate(_CONTEXT_USED, start=1)}}
)
"""The 59 classes to 1 to 59; 0 is background."""

CONTEXT_ALL: Mapping[int, int] = MappingProxyType(
    {label: CONTEXT_MERGED.get(label, 0) for label in range(_CONTEXT_LABELS + 1)}
)
"""All 459 labels: what is none of the 59 is background."""

_CITYSCAPES_USED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_CITYSCAPES_LABELS = 34

CITYSCAPES: Mapping[int, int] = MappingProxyType(
    {
        **dict.fromkeys((*range(_CITYSCAPES_LABELS), IGNORED), IGNORED),
        **{label: number for number, label in enumerate(_CITYSCAPES_USED)},
    }
)
"""Label ids to train ids (labels.py of github.com/mcordts/cityscapesScripts); 255 is the id -1 of number plates."""

_CAMVID_CLASSES = 11

CAMVID: Mapping[int, int] = MappingProxyType(
    {_CAMVID_CLASSES: 0, **{label: label + 1 for label in range(_CAMVID_CLASSES)}}
)
"""Labels 0 to 10 as distributed with SegNet to 1 to 11; void, 11, to 0."""


def apply_table(table: Mapping[int, int], labels: npt.NDArray[Any], path: Path) -> Pixels:
    """Labels through a table.

    Args:
        table: New label of each old one.
        labels: Non-negative integers, any shape.
        path: Their file, for the message.

    Raises:
        DataError: A label is not in the table.
    """
    new = np.zeros(max(table) + 1, np.uint8)
    new[list(table)] = list(table.values())
    found = np.unique(labels)
    unknown = [value for value in found.tolist() if value not in table]
    if unknown:
        raise DataError(f"{path} has label(s) {', '.join(map(str, unknown))}; accepted: {_ranges(table)}")
    made: Pixels = new[labels]
    return made


def _ranges(table: Mapping[int, int]) -> str:
    """The keys as ranges, such as `0-11, 13`."""
    keys = sorted(table)
    starts = [key for key in keys if key - 1 not in table]
    ends = [key for key in keys if key + 1 not in table]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))

"""Resizing of bytes as OpenCV does it, bit for bit, from positions and weights along each axis.

OpenCV's INTER_LINEAR weighs neighbours by 11-bit integers and shifts the sum back (imgproc/src/resize.cpp); its
INTER_NEAREST takes the pixel at the floor of the scaled position. Both are what mmsegmentation's pipelines call.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Numbers = NDArray[np.int64]

_ONE = 2048
"""Weight 1."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the pixels of a resized axis come from: each is a weighted pair of neighbours.

    Attributes:
        first: (n,) position of the first neighbour.
        second: (n,) position of the second.
        first_weight: (n,) its weight, 0..2048.
        second_weight: (n,) weight of the second.
        nearest: (n,) position of the nearest, for labels.
    """

    first: Numbers
    second: Numbers
    first_weight: Numbers
    second_weight: Numbers
    nearest: Numbers


def rows_axis(source: int, target: int) -> Axis:
    """The vertical axis: positions outside are clipped, weights stay."""
    position, share = _positions(source, target)
    return _axis(np.clip(position, 0, source - 1), np.clip(position + 1, 0, source - 1), share, source, target)


def columns_axis(source: int, target: int) -> Axis:
    """The horizontal axis: beyond the outermost pixel's centre its weight is 1."""
    position, share = _positions(source, target)
    share = np.where((position < 0) | (position >= source - 1), np.float32(0), share)
    position = np.clip(position, 0, source - 1)
    return _axis(position, np.minimum(position + 1, source - 1), share, source, target)


def _positions(source: int, target: int) -> tuple[Numbers, NDArray[np.float32]]:
    exact = ((np.arange(target) + 0.5) * (1.0 / (target / source)) - 0.5).astype(np.float32)
    floor = np.floor(exact)
    return floor.astype(np.int64), exact - floor


def _axis(first: Numbers, second: Numbers, share: NDArray[np.float32], source: int, target: int) -> Axis:
    weights = [np.rint(part * np.float32(_ONE)).astype(np.int64) for part in (np.float32(1) - share, share)]
    nearest = np.floor(np.arange(target) * (1.0 / (target / source))).astype(np.int64)
    return Axis(first, second, weights[0], weights[1], np.minimum(nearest, source - 1))


def mixed_columns(left: Tensor, right: Tensor, left_weight: Tensor, right_weight: Tensor) -> Tensor:
    """Pairs of bytes, weighted along the horizontal axis: int32, not yet shifted back."""
    return left.int() * left_weight + right.int() * right_weight


def mixed_rows(top: Tensor, bottom: Tensor, top_weight: Tensor, bottom_weight: Tensor) -> Tensor:
    """Pairs of results of `mixed_columns`, weighted along the vertical axis: bytes."""
    total = ((top_weight * (top >> 4)) >> 16) + ((bottom_weight * (bottom >> 4)) >> 16)
    return ((total + 2) >> 2).to(torch.uint8)


def resized_bytes(image: Tensor, height: int, width: int) -> Tensor:
    """An image (h, w, 3) uint8 at another size, bilinear without antialiasing, as OpenCV's resize."""
    if image.shape[:2] == (height, width):
        return image
    rows, columns = rows_axis(image.shape[0], height), columns_axis(image.shape[1], width)

    def here(numbers: Numbers, *shape: int) -> Tensor:
        return torch.from_numpy(numbers).to(image.device).view(*shape)

    across = mixed_columns(
        image.index_select(1, here(columns.first, -1)),
        image.index_select(1, here(columns.second, -1)),
        here(columns.first_weight, 1, -1, 1).int(),
        here(columns.second_weight, 1, -1, 1).int(),
    )
    return mixed_rows(
        across.index_select(0, here(rows.first, -1)),
        across.index_select(0, here(rows.second, -1)),
        here(rows.first_weight, -1, 1, 1).int(),
        here(rows.second_weight, -1, 1, 1).int(),
    )


def into(height: int, width: int, longer: int, shorter: int) -> tuple[int, int]:
    """The size of an image resized into a longer and a shorter side with its ratio kept, as mmcv rounds it."""
    factor = min(longer / max(height, width), shorter / min(height, width))
    return int(height * factor + 0.5), int(width * factor + 0.5)


def to_multiple(side: int, divisor: int) -> int:
    """The side, enlarged to a multiple of `divisor`."""
    return -(-side // divisor) * divisor

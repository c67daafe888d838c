"""A split of images that differ in size, decoded: one row of pixels in memory, or in a file that is mapped."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from experiments.training.lean.resize import Numbers


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of images that lie one behind the other in one row of pixels.

    Attributes:
        heights: (N,) heights.
        widths: (N,) widths.
    """

    heights: Numbers
    widths: Numbers

    def __len__(self) -> int:
        return len(self.heights)

    @property
    def total(self) -> int:
        """Pixels of all images."""
        return int((self.heights * self.widths).sum())

    @property
    def starts(self) -> Numbers:
        """(N,) first pixels."""
        return np.concatenate([[0], np.cumsum(self.heights * self.widths)[:-1]])

    @property
    def equal(self) -> bool:
        """Whether there are images, and all have one size."""
        return len(np.unique(np.stack([self.heights, self.widths]), axis=1).T) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """A split whose images may differ in size; image i starts at pixel `starts[i]` and goes row by row.

    Attributes:
        pixels: (T,) int32; the bytes of a pixel are red, green, blue and its class number, 255 = ignored.
        heights: (N,) heights.
        widths: (N,) widths.
    """

    pixels: Tensor
    heights: Numbers
    widths: Numbers

    def __len__(self) -> int:
        return len(self.heights)

    @property
    def starts(self) -> Numbers:
        """(N,) first pixels."""
        return Sizes(self.heights, self.widths).starts

    def image(self, number: int) -> tuple[Tensor, Tensor]:
        """Image (H, W, 3) and labels (H, W) of one number, uint8."""
        start, height, width = (int(values[number]) for values in (self.starts, self.heights, self.widths))
        whole = self.pixels[start : start + height * width].view(torch.uint8).view(height, width, 4)
        return whole[..., :3], whole[..., 3]

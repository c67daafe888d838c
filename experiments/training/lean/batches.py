"""Augmented batches of images of one size, which are a function of seed and iteration."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from topformer.pixels import MEAN as MEAN
from topformer.pixels import STD as STD

_ORDER, AUGMENTATION = 1, 2
"""First numbers of the seeds of two independent streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """A split on the device.

    Attributes:
        images: (N, H, W, 3) uint8, red first.
        labels: (N, H, W) uint8; class numbers 0..K-1, 255 = ignored.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)


def normalised(images: Tensor) -> Tensor:
    """Images (B, H, W, 3) uint8 as the network reads them: (B, 3, H, W) float32 in channels-last memory."""
    count, height, width, _ = images.shape
    # As rows of W * 3 numbers: an innermost axis of three is slow to walk.
    flat = images.reshape(count, height, width * 3).float()
    flat.sub_(_repeated(MEAN, width, images.device)).div_(_repeated(STD, width, images.device))
    return flat.view(images.shape).permute(0, 3, 1, 2)


@lru_cache(maxsize=64)
def _repeated(values: tuple[float, ...], times: int, device: torch.device) -> Tensor:
    with torch.inference_mode(mode=False):
        return torch.tensor(values * times, device=device)


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """Images (B, C, H, W) at the network's input size: bilinear, pixel centres aligned, as OpenCV's resize."""
    if images.shape[2:] == (height, width):
        return images
    return functional.interpolate(images, (height, width), mode="bilinear", align_corners=False)


def order(images: int, batch: int, seed: int, iteration: int) -> NDArray[np.int64]:
    """Numbers of the images of an iteration: every image once per epoch, in an order of its own."""
    places = [divmod(i, images) for i in range(iteration * batch, (iteration + 1) * batch)]
    orders = {
        epoch: np.random.default_rng([_ORDER, seed, epoch]).permutation(images)
        for epoch in {epoch for epoch, _ in places}
    }
    return np.array([orders[epoch][place] for epoch, place in places])


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Augmented training batches; iteration i of a seed is always the same batch, so that a resumed one is exact.

    Attributes:
        pixels: The training split.
        batch: Images per iteration.
        seed: Of order and augmentation.
        height: Input height of the network.
        width: Input width.
        flip: Probability of a horizontal flip.
        scales: Least and largest factor of random resizing before the random crop; (1, 1) leaves both out.
    """

    pixels: Pixels
    batch: int
    seed: int
    height: int
    width: int
    flip: float
    scales: tuple[float, float]

    def __getitem__(self, iteration: int) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) float32 and labels (B, H, W) uint8 of one iteration."""
        random = np.random.default_rng([AUGMENTATION, self.seed, iteration])
        chosen = torch.from_numpy(self.indices(iteration)).to(self.pixels.images.device)
        images, labels = self.pixels.images.index_select(0, chosen), self.pixels.labels.index_select(0, chosen)
        flipped = torch.from_numpy(np.flatnonzero(random.random(self.batch) < self.flip)).to(images.device)
        for pixels in (images, labels):
            pixels.index_copy_(0, flipped, pixels.index_select(0, flipped).flip(2))
        images = normalised(images)
        if self.scales != (1.0, 1.0):
            return self._cropped(images, labels, random)
        return resized(images, self.height, self.width), self._nearest(labels)

    def indices(self, iteration: int) -> NDArray[np.int64]:
        """Numbers of the images of an iteration; see `order`."""
        return order(len(self.pixels), self.batch, self.seed, iteration)

    def _nearest(self, labels: Tensor) -> Tensor:
        if labels.shape[1:] == (self.height, self.width):
            return labels
        return functional.interpolate(labels[:, None], (self.height, self.width), mode="nearest")[:, 0]

    def _cropped(self, images: Tensor, labels: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A window of random size and place per image; what lies outside the image is 0, and its label ignored."""
        factors = random.uniform(*self.scales, size=self.batch)
        room = 1 - 1 / factors
        # A window larger than the image has the image in its upper left corner, as mmsegmentation pads.
        shifts = np.where(room > 0, random.uniform(-1, 1, size=(2, self.batch)) * room, -room)
        affine = np.zeros((self.batch, 2, 3), np.float32)
        affine[:, 0, 0] = affine[:, 1, 1] = 1 / factors
        affine[:, :, 2] = shifts.T
        size = [self.batch, 1, self.height, self.width]
        grid = functional.affine_grid(torch.from_numpy(affine).to(images.device), size, align_corners=False)
        images = functional.grid_sample(images, grid, mode="bilinear", align_corners=False)
        # Outside the image grid_sample gives 0, so that 0 must stand for ignored while it runs.
        above = (labels + 1)[:, None].float()
        above = functional.grid_sample(above, grid, mode="nearest", align_corners=False)
        return images, above[:, 0].to(torch.uint8) - 1

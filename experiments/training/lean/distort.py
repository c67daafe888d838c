"""Photometric distortion of batches on their device, with the steps, odds and roundings of mmsegmentation's.

mmsegmentation (mmseg/datasets/transforms/transforms.py, PhotoMetricDistortion) works on bytes and cuts fractions off
after every step; OpenCV's hue has 180 steps. Both are kept here, in floating point: values are whole numbers.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BRIGHTNESS = 32.0
"""Largest shift of brightness."""
CONTRAST = SATURATION = (0.5, 1.5)
"""Least and largest factor."""
HUE = 18
"""Hue moves by -18 to 17 of 180 steps."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distortion:
    """What happens to each image of a batch; each array is (B,).

    Attributes:
        brightness: Added; 0 where nothing is.
        contrast: Factor; 1 where nothing happens.
        late: Whether contrast comes last, behind hue, and not second.
        saturation: Factor; 1 where nothing happens.
        hue: Steps; 0 where nothing happens.
    """

    brightness: Values
    contrast: Values
    late: NDArray[np.bool_]
    saturation: Values
    hue: Values

    @classmethod
    def draw(cls, random: np.random.Generator, batch: int) -> "Distortion":
        """One draw per image; every step happens with probability 1/2."""

        def half(values: Values, otherwise: float) -> Values:
            return np.where(random.random(batch) < 0.5, values, otherwise)

        return cls(
            brightness=half(random.uniform(-BRIGHTNESS, BRIGHTNESS, batch), 0),
            contrast=half(random.uniform(*CONTRAST, batch), 1),
            late=random.random(batch) < 0.5,
            saturation=half(random.uniform(*SATURATION, batch), 1),
            hue=half(random.integers(-HUE, HUE, batch).astype(np.float64), 0),
        )


def distorted(images: Tensor, how: Distortion) -> Tensor:
    """Images (B, H, W, 3) uint8, red first, distorted."""
    values = images.float()
    values = _scaled(values, np.ones_like(how.contrast), how.brightness)
    values = _scaled(values, np.where(how.late, 1, how.contrast))
    values = _coloured(values, how.saturation, np.zeros_like(how.hue))
    values = _coloured(values, np.ones_like(how.saturation), how.hue)
    return _scaled(values, np.where(how.late, how.contrast, 1)).to(torch.uint8)


def _scaled(values: Tensor, factor: Values, shift: Values | float = 0.0) -> Tensor:
    """Slope times values plus offset, clipped to bytes, fractions cut off."""
    slope, offset = (
        torch.from_numpy(np.broadcast_to(number, factor.shape).astype(np.float32)).to(values.device)[
            :, None, None, None
        ]
        for number in (factor, np.asarray(shift))
    )
    return (values * slope + offset).clamp_(0, 255).floor_()


def _coloured(values: Tensor, saturation: Values, hue: Values) -> Tensor:
    """Saturation and hue of the images that have any to change; the others keep their bytes."""
    chosen = np.flatnonzero((saturation != 1) | (hue != 0))
    if not len(chosen):
        return values
    places = torch.from_numpy(chosen).to(values.device)
    hsv = to_hsv(values.index_select(0, places))
    hsv[..., 1:2] = _scaled(hsv[..., 1:2], saturation[chosen])
    steps = torch.from_numpy(hue[chosen].astype(np.float32)).to(values.device)[:, None, None]
    hsv[..., 0] = (hsv[..., 0] + steps).remainder_(180)
    return values.index_copy(0, places, from_hsv(hsv))


def to_hsv(rgb: Tensor) -> Tensor:
    """(..., 3) red, green, blue of 0..255 as OpenCV's bytes of hue 0..179, saturation and value."""
    largest, place = rgb.max(dim=-1)
    spread = largest - rgb.amin(dim=-1)
    red, green, blue = rgb.unbind(-1)
    safe = spread.clamp(min=1)
    sectors = torch.stack([(green - blue) / safe, (blue - red) / safe + 2, (red - green) / safe + 4], dim=-1)
    # Of equal channels the first counts; without spread all are equal, and the hue is 0.
    hue = (sectors.gather(-1, place[..., None])[..., 0] * 30).round_().remainder_(180)
    saturation = (255 * spread / largest.clamp(min=1)).round_()
    return torch.stack([hue, saturation, largest], dim=-1)


def from_hsv(hsv: Tensor) -> Tensor:
    """The inverse of `to_hsv`; fractions are cut off, as OpenCV does it for whole blocks of 64 pixels."""
    hue, saturation, value = hsv.unbind(-1)
    chroma = value * saturation / 255
    channels = []
    for offset in (5, 3, 1):
        k = (offset + hue / 30).remainder_(6)
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1))
    return torch.stack(channels, dim=-1).floor_().clamp_(0, 255)

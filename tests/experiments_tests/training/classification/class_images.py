"""A miniature of ImageNet's layout."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("blue", "green", "red")


def write_images(root: Path, split: str, count: int) -> None:
    """Stripes of one colour per class on noise."""
    random = np.random.default_rng([count, len(split)])
    for channel, name in zip((2, 1, 0), CLASSES, strict=True):
        (root / split / name).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 80, (64, 72, 3))
            pixels[:, np.arange(72) // int(random.integers(6, 12)) % 2 == 0, channel] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(root / split / name / f"{i}.JPEG", quality=95)

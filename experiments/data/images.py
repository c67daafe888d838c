"""One image file, one label file: read whole, or refused by name."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from topformer.errors import DataError

Pixels = npt.NDArray[np.uint8]

_DECODE_ERRORS = (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError)
"""What Pillow raises for a file that is missing, broken, cut off or not an image."""

_LABEL_MODES = ("L", "P")
"""Grey values, or numbers of a palette; both are stored as one byte per pixel."""


def read_image(path: Path) -> Pixels:
    """An image file as (height, width, 3) uint8, wholly decoded.

    Raises:
        DataError: The file is missing, broken or cut off.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except _DECODE_ERRORS as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def read_label(path: Path) -> Pixels:
    """A label file as (height, width) uint8, the values as stored.

    Raises:
        DataError: The file is missing, broken, cut off, or not 8-bit with one channel.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in _LABEL_MODES:
                raise DataError(f"{path} must have one channel of 8 bits, got mode {image.mode}")
            return np.asarray(image)
    except DataError:
        raise
    except _DECODE_ERRORS as error:
        raise DataError(f"{path} cannot be read: {error}") from None

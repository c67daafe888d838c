"""One image file, one label file: read whole, upright where that can be known, or refused by name."""

import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from topformer.errors import DataError

Pixels = npt.NDArray[np.uint8]

MOST_PIXELS = 2**26
"""Pixels of the largest image that is read, such as 8192 x 8192; as float32, its three channels take 0.8 GB."""

MOST_TIMES_AS_LONG = 100
"""How many times one side may be as long as the other: what is longer would lose all pixels of its shorter side where
it is resized to the input of a network."""

_DECODE_ERRORS = (OSError, SyntaxError, ValueError, UnidentifiedImageError)
"""What Pillow raises for a file that is missing, broken, cut off or not an image."""

_TAG_ERRORS = (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error)
"""What Pillow raises for a broken block of EXIF tags; the pixels beside it are whole."""

_LABEL_MODES = ("L", "P")
"""Grey values, or numbers of a palette; both are stored as one byte per pixel."""

_SCALED = frozenset({"L;2", "L;4"})
"""Pillow's names for grey of 2 and 4 bits in a file, whose values it scales to 0..255."""

_UPRIGHT: Mapping[int, Image.Transpose] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)
"""What brings an image upright, by its orientation tag (EXIF 2.32, tag 0x0112)."""

_SIDEWAYS = frozenset({5, 6, 7, 8})
"""Tags that exchange height and width."""

# Of broken tags, beside which the pixels are whole, Pillow warns without the file's name.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")
# Pillow would only warn of an image that is too large; `_opened` refuses it by name.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image as its file holds it.

    Attributes:
        pixels: (height, width, 3), red first.
        tag: Its orientation tag; 1 where nothing is to be turned.
    """

    pixels: Pixels
    tag: int

    @property
    def ambiguous(self) -> bool:
        """Whether the tag turns or mirrors the image into its own size, of which a label's size says nothing."""
        height, width = self.pixels.shape[:2]
        return self.tag in _UPRIGHT and (self.tag not in _SIDEWAYS or height == width)

    def upright(self, like: tuple[int, int] | None = None) -> Pixels:
        """The image as a viewer shows it, or as its label lies; see `read_image`."""
        stored, turned = self.pixels.shape[:2], self.pixels.shape[1::-1]
        if self.tag in _UPRIGHT and (like is None or (self.tag in _SIDEWAYS and stored != like == turned)):
            return np.asarray(Image.fromarray(self.pixels).transpose(_UPRIGHT[self.tag]))
        return self.pixels


def decode(path: Path) -> Decoded:
    """An image file, wholly decoded.

    Raises:
        DataError: The file is missing, broken, cut off or too large, or holds numbers of 32 bits.
    """
    with _opened(path) as image:
        # First the tag: Pillow may have to decode a PNG file before it knows it.
        tag = _tag(image)
        return Decoded(_rgb(image, path), tag)


def read_image(path: Path, *, like: tuple[int, int] | None = None) -> Pixels:
    """An image file as (height, width, 3) uint8, red first, wholly decoded.

    Grey becomes three equal channels, 16 bits their upper 8, a palette its colours; an alpha channel is left out, and
    CMYK converted without a colour profile. An orientation tag turns the image as a viewer would. Beside a label it
    does so only where that alone gives the label's height and width: whether a label of a square or mirrored image was
    drawn on the turned one cannot be known.

    Args:
        path: The file.
        like: Height and width of the image's label, if it has one.

    Raises:
        DataError: See `decode`.
    """
    return decode(path).upright(like)


def read_label(path: Path) -> Pixels:
    """A label file as (height, width) uint8, the values as stored; an orientation tag of its own turns nothing.

    Raises:
        DataError: The file is missing, broken, cut off or too large, or not 8-bit with one channel.
    """
    with _opened(path) as image:
        if image.mode not in _LABEL_MODES:
            raise DataError(f"{path} must have one channel of 8 bits, got mode {image.mode}")
        if image.tile and image.tile[0].args in _SCALED:
            raise DataError(f"{path} must have one channel of 8 bits, got grey of {image.tile[0].args[-1]} bits")
        return np.asarray(image)


def read_pair(path: Path, label: Path) -> tuple[Pixels, Pixels]:
    """An image as (height, width, 3) and its label as (height, width), as stored.

    Raises:
        DataError: One of the files cannot be read, or their sizes differ.
    """
    stored = read_label(label)
    pixels = read_image(path, like=(stored.shape[0], stored.shape[1]))
    check_sizes(path, pixels.shape, label, stored.shape)
    return pixels, stored


def check_sizes(path: Path, image: tuple[int, ...], label: Path, stored: tuple[int, ...]) -> None:
    """An image and its label have the same height and width, the first two numbers of their shapes.

    Raises:
        DataError: They have not.
    """
    if image[:2] != stored[:2]:
        raise DataError(f"{label} is {stored[1]} x {stored[0]} px, its image {path} is {image[1]} x {image[0]}")


def size_of(path: Path) -> tuple[int, int]:
    """Height and width as stored, from the head of a file.

    Raises:
        DataError: The file is missing, too large, or its head is broken.
    """
    with _opened(path) as image:
        return image.height, image.width


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """The file, of which only the head is read so far; what fails within the block is told by the file's name."""
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path} cannot be read: it is not a regular file")
        with Image.open(path) as image:
            _check_extent(path, image.width, image.height)
            yield image
    except DataError:
        raise
    except _DECODE_ERRORS as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _check_extent(path: Path, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        accepted = f"up to {MOST_PIXELS:,} pixels, such as 8192 x 8192"
    elif max(width, height) > MOST_TIMES_AS_LONG * min(width, height):
        accepted = f"up to {MOST_TIMES_AS_LONG} times as long as wide"
    else:
        return
    raise DataError(f"{path} is {width} x {height} px; accepted: {accepted}; cut it into parts or leave it out")


def _tag(image: Image.Image) -> int:
    """The orientation tag; 1, which turns nothing, where there is none or the tags cannot be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _TAG_ERRORS:
        return 1


def _rgb(image: Image.Image, path: Path) -> Pixels:
    # Pillow before 11.3 opens grey PNG files of 16 bits in mode I.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise DataError(f"{path} holds numbers of 32 bits (mode {image.mode}); accepted: 8 or 16 bits per channel")
    # Pillow warns of a palette with transparency, which is left out as every alpha channel.
    image.info.pop("transparency", None)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))

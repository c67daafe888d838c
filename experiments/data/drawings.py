"""Drawings that commands write: the colours of classes, and the rule that no other file is written over."""

from collections.abc import Iterable
from colorsys import hsv_to_rgb
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from topformer import files
from topformer.errors import DataError, StorageError

Colour = tuple[int, int, int]

_GOLDEN = 0.618034
"""Hues a golden ratio apart: neighbouring classes never look alike."""

_MAKER = "Software"
"""PNG's keyword for the program that made a file (PNG specification 1.2, section 4.2.3)."""


def palette(classes: int) -> tuple[Colour, ...]:
    """Colours for classes without any: hues a golden ratio apart, in four tones by turns."""
    made = [hsv_to_rgb(k * _GOLDEN % 1, (0.9, 0.55)[k % 2], (0.95, 0.75)[k // 2 % 2]) for k in range(classes)]
    return tuple((round(255 * r), round(255 * g), round(255 * b)) for r, g, b in made)


def check_place(path: Path, command: str, inputs: Iterable[Path] = ()) -> None:
    """A drawing may go here: there is nothing, or a drawing by the same command that is no input of it.

    Args:
        path: The file to be written.
        command: What writes it, such as `predict`.
        inputs: Files that the command reads.

    Raises:
        DataError: Another file is there.
    """
    files.check_place(
        path,
        lambda place: _maker(place) == _signature(command),
        inputs,
        made=f"drawing of {_signature(command)}",
        error=DataError,
    )


def write_drawing(picture: Image.Image, path: Path, command: str) -> None:
    """Write a PNG file that says what made it, and its folder.

    Raises:
        StorageError: It cannot be written.
    """
    about = PngInfo()
    about.add_text(_MAKER, _signature(command))
    whole = BytesIO()
    picture.save(whole, format="PNG", pnginfo=about)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole.getvalue())
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def _signature(command: str) -> str:
    return f"topformer {command}"


def _maker(path: Path) -> object:
    """What a PNG file says made it, from its head; None for any other file."""
    if not path.is_file():
        return None
    try:
        with Image.open(path) as image:
            return image.info.get(_MAKER)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError):
        return None

"""A contact sheet: images of a data set beside their labels, with a legend."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from experiments.data.drawings import check_place, palette, write_drawing
from experiments.data.folders.folder import SegmentationFolder
from experiments.data.folders.labels import IGNORED
from experiments.data.folders.match import Pair
from experiments.data.images import Pixels
from topformer.errors import DataError

_CELL = 256
"""Longer side of a picture on the sheet in px."""
_GAP = 6
_COLUMNS = 4
_FONT_SIZE = 18
_SWATCH = 20
_OPACITY = 0.65
_PAPER, _INK, _IGNORED_COLOUR = (255, 255, 255), (30, 30, 30), (0, 0, 0)

COMMAND = "data check"
"""What writes the sheet, as a drawing says it."""


def contact_sheet(folder: SegmentationFolder, n: int, path: Path, *, split: str | None = None) -> Path:
    """Draw `n` pairs, evenly spread over a split: each image, and the same image under its label's colours.

    The legend lists the classes that can be seen on the sheet, under their group where they have one.

    Args:
        folder: The data set, with known classes.
        n: Pairs to draw; fewer where the split is smaller.
        path: The PNG file to write; its folder is made.
        split: The split; `validation` or else the first one.

    Returns:
        `path`.

    Raises:
        DataError: `n` is below 1, the split does not exist or is empty, or a file cannot be read; or `path` is
            another file.
        StorageError: The file cannot be written.
    """
    if n < 1:
        raise DataError(f"n must be at least 1, got {n!r}")
    check_place(path, COMMAND)
    split = split or ("validation" if "validation" in folder.splits else next(iter(folder.splits), "validation"))
    pairs = folder.pairs(split)
    if not pairs:
        raise DataError(f"split {split} of {folder.root} is empty")
    count = min(n, len(pairs))
    colours = _colours(folder)
    cells = [_cell(folder, pairs[i * len(pairs) // count], colours) for i in range(count)]
    sheet = _assemble(
        [image for image, _ in cells], _legend(folder, colours, set().union(*(seen for _, seen in cells)))
    )
    write_drawing(sheet, path, COMMAND)
    return path


def _colours(folder: SegmentationFolder) -> Pixels:
    """A colour for each target value: (256, 3)."""
    table = np.zeros((256, 3), np.uint8)
    table[IGNORED] = _IGNORED_COLOUR
    table[: folder.num_classes] = folder.colours or palette(folder.num_classes)
    return table


def _cell(folder: SegmentationFolder, pair: Pair, colours: Pixels) -> tuple[Image.Image, set[int]]:
    """Image and overlay side by side, and the classes in it."""
    image, targets = folder.read(pair)
    scale = _CELL / max(targets.shape)
    size = max(1, round(targets.shape[1] * scale)), max(1, round(targets.shape[0] * scale))
    mixed = _OPACITY * colours[targets] + (1 - _OPACITY) * _grey(image)
    picture = Image.new("RGB", (2 * _CELL, _CELL), _PAPER)
    picture.paste(Image.fromarray(image).resize(size), (0, 0))
    picture.paste(Image.fromarray(mixed.astype(np.uint8)).resize(size), (_CELL, 0))
    return picture, set(np.unique(targets).tolist()) - {IGNORED}


def _grey(image: Pixels) -> npt.NDArray[np.float64]:
    grey: npt.NDArray[np.float64] = image.mean(axis=2, keepdims=True)
    return grey


def _assemble(cells: list[Image.Image], legend: list[tuple[str, tuple[int, int, int] | None]]) -> Image.Image:
    columns = max(1, min(_COLUMNS // 2, len(cells)))
    rows = -(-len(cells) // columns)
    width = columns * (2 * _CELL + _GAP) + _GAP
    font = ImageFont.load_default(_FONT_SIZE)
    lines = _flow(legend, width, font)
    top = rows * (_CELL + _GAP) + _GAP
    sheet = Image.new("RGB", (width, top + len(lines) * (_SWATCH + _GAP) + _GAP), _PAPER)
    for i, cell in enumerate(cells):
        sheet.paste(cell, (_GAP + i % columns * (2 * _CELL + _GAP), _GAP + i // columns * (_CELL + _GAP)))
    _draw_legend(ImageDraw.Draw(sheet), lines, top, font)
    return sheet


def _legend(
    folder: SegmentationFolder, colours: Pixels, seen: set[int]
) -> list[tuple[str, tuple[int, int, int] | None]]:
    """Text and colour of each entry; the name of a group has none."""
    names = folder.classes
    grouped = {name: [c for c in members if names.index(c) in seen] for name, members in folder.groups.items()}
    alone = [names[k] for k in sorted(seen) if not any(names[k] in members for members in grouped.values())]
    entries: list[tuple[str, tuple[int, int, int] | None]] = []
    for group, members in (("", alone), *grouped.items()):
        entries += [(f"{group}:", None)] * bool(group and members)
        entries += [(name, _rgb(colours[names.index(name)])) for name in members]
    return [*entries, ("ignored", _IGNORED_COLOUR)]


def _rgb(colour: Pixels) -> tuple[int, int, int]:
    red, green, blue = colour.tolist()
    return red, green, blue


_Placed = tuple[int, str, tuple[int, int, int] | None]


def _flow(
    legend: list[tuple[str, tuple[int, int, int] | None]],
    width: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> list[list[_Placed]]:
    """The entries in lines no wider than the sheet, each with its left edge."""
    lines: list[list[_Placed]] = [[]]
    left = _GAP
    for i, (text, colour) in enumerate(legend):
        taken = _width(text, colour, font)
        # The name of a group stays with its first class.
        needed = taken if colour else taken + _width(*legend[i + 1], font)
        if left + needed > width and lines[-1]:
            lines.append([])
            left = _GAP
        lines[-1].append((left, text, colour))
        left += taken
    return lines


def _width(text: str, colour: tuple[int, int, int] | None, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return round(font.getlength(text)) + 3 * _GAP + (_SWATCH if colour else 0)


def _draw_legend(
    pen: ImageDraw.ImageDraw, lines: list[list[_Placed]], top: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> None:
    for row, line in enumerate(lines):
        y = top + row * (_SWATCH + _GAP)
        for left, text, colour in line:
            if colour is not None:
                pen.rectangle((left, y, left + _SWATCH, y + _SWATCH), colour, outline=_INK)
            pen.text((left + (_SWATCH + _GAP if colour is not None else 0), y - 1), text, _INK, font)

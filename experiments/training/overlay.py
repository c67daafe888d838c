"""A predicted segmentation over its image, with a legend of the classes in it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from experiments.data.drawings import Colour
from experiments.data.images import Pixels

_OPACITY = 0.6
_PAPER, _INK = (255, 255, 255), (30, 30, 30)
_LEAST_SHARE = 0.001
"""Classes on a smaller share of the pixels are not named."""


def overlay(image: Pixels, predicted: Pixels, names: Sequence[str], colours: Sequence[Colour]) -> Image.Image:
    """The image, beside it the same in the colours of the predicted classes, and below both a legend.

    The legend names the classes that are there, the largest first, with their share of the pixels.

    Args:
        image: (H, W, 3), uint8.
        predicted: Class of each pixel, (H, W).
        names: Names of the classes.
        colours: Their colours.
    """
    table = np.asarray(colours, np.float64)
    mixed = _OPACITY * table[predicted] + (1 - _OPACITY) * image.mean(axis=2, keepdims=True)
    width, height = 2 * image.shape[1], image.shape[0]
    size = max(12, height // 28)
    lines = _lines(shares(predicted, names), width, size)
    sheet = Image.new("RGB", (width, height + len(lines) * 2 * size + size), _PAPER)
    sheet.paste(Image.fromarray(image), (0, 0))
    sheet.paste(Image.fromarray(mixed.astype(np.uint8)), (image.shape[1], 0))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size)
    for row, line in enumerate(lines):
        top = height + size // 2 + row * 2 * size
        for left, number, text in line:
            pen.rectangle((left, top, left + size, top + size), colours[number], outline=_INK)
            pen.text((left + size + size // 2, top - size // 8), text, _INK, font)
    return sheet


def shares(predicted: Pixels, names: Sequence[str]) -> list[tuple[int, str, float]]:
    """Number, name and share of the pixels of each class that is there, the largest first."""
    counts = np.bincount(predicted.reshape(-1), minlength=len(names)) / predicted.size
    order = [int(k) for k in np.argsort(-counts, kind="stable") if counts[k] >= _LEAST_SHARE]
    return [(k, names[k], float(counts[k])) for k in order]


def _lines(found: Sequence[tuple[int, str, float]], width: int, size: int) -> list[list[tuple[int, int, str]]]:
    """Left edge, class and text of the entries, in lines no wider than the picture."""
    font = ImageFont.load_default(size)
    lines: list[list[tuple[int, int, str]]] = [[]]
    left = size // 2
    for number, name, share in found:
        text = f"{name} {share:.1%}"
        taken = round(font.getlength(text)) + 3 * size
        if left + taken > width and lines[-1]:
            lines.append([])
            left = size // 2
        lines[-1].append((left, number, text))
        left += taken
    return lines

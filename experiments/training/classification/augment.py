"""Augmentation of a classification image: a function of the image, the recipe and a random generator.

torchvision and timm, which have the same operations, do not import beside a CPU build of torch; Pillow and numpy do.
"""

from collections.abc import Callable, Mapping
from math import exp, log, sqrt
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from experiments.training.classification.recipes import Colour, PretrainRecipe
from experiments.training.lean.batches import MEAN, STD

Pixels = NDArray[np.uint8]
_ATTEMPTS = 10
"""Draws of a crop, or of a rectangle, that may not fit before another way is taken (torchvision, timm)."""
_JITTER = 0.4
_ERASED_AREA, _ERASED_RATIO = (0.02, 1 / 3), (0.3, 1 / 0.3)
"""Zhong et al., Random erasing, AAAI 2020, with timm's limits."""
_OPERATIONS, _APPLIED, _MAGNITUDE, _DEVIATION = 2, 0.5, 0.9, 0.05
_FILL = tuple(round(value) for value in MEAN)


def training_pixels(image: Image.Image, recipe: PretrainRecipe, random: np.random.Generator) -> Pixels:
    """An augmented image: (size, size, 3) uint8.

    A random crop resized bicubically, a flip, colours, and a rectangle of noise. Noise is cut to 0..255, where timm
    leaves it as it is.
    """
    box = random_box(image.size, recipe, random)
    image = image.resize((recipe.size, recipe.size), Image.Resampling.BICUBIC, box=box)
    if random.random() < recipe.flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = _COLOURS[recipe.colour](image, random)
    pixels = np.array(image)
    if random.random() < recipe.erase:
        _erase(pixels, random)
    return pixels


def validation_pixels(image: Image.Image, recipe: PretrainRecipe) -> Pixels:
    """The centre of an image whose shorter side was resized: (size, size, 3) uint8."""
    factor = recipe.size / recipe.crop_share / min(image.size)
    width, height = (max(round(side * factor), recipe.size) for side in image.size)
    left, top = (width - recipe.size) // 2, (height - recipe.size) // 2
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.array(resized.crop((left, top, left + recipe.size, top + recipe.size)))


def random_box(
    size: tuple[int, int], recipe: PretrainRecipe, random: np.random.Generator
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a crop with a random share of the area and a random shape.

    Where no draw fits, the largest centred crop of an allowed shape (Szegedy et al., 2015, as torchvision has it).
    """
    width, height = size
    for _ in range(_ATTEMPTS):
        area = width * height * random.uniform(*recipe.scales)
        ratio = exp(random.uniform(log(recipe.ratios[0]), log(recipe.ratios[1])))
        w, h = round(sqrt(area * ratio)), round(sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(random.integers(width - w + 1)), int(random.integers(height - h + 1))
            return left, top, left + w, top + h
    ratio = min(max(width / height, recipe.ratios[0]), recipe.ratios[1])
    w, h = min(width, round(height * ratio)), min(height, round(width / ratio))
    return (width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2


def _erase(pixels: Pixels, random: np.random.Generator) -> None:
    side = len(pixels)
    for _ in range(_ATTEMPTS):
        area = side * side * random.uniform(*_ERASED_AREA)
        ratio = exp(random.uniform(log(_ERASED_RATIO[0]), log(_ERASED_RATIO[1])))
        h, w = round(sqrt(area * ratio)), round(sqrt(area / ratio))
        if 0 < h < side and 0 < w < side:
            top, left = random.integers(side - h + 1), random.integers(side - w + 1)
            noise = random.standard_normal((h, w, 3)) * STD + MEAN
            pixels[top : top + h, left : left + w] = noise.clip(0, 255).round().astype(np.uint8)
            return


def _jittered(image: Image.Image, random: np.random.Generator) -> Image.Image:
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for number in random.permutation(len(enhancers)):
        image = enhancers[number](image).enhance(random.uniform(1 - _JITTER, 1 + _JITTER))
    return image


def _randaugmented(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Cubuk et al., RandAugment, 2019; fifteen operations, of which two are drawn and each applied half the time."""
    names = tuple(OPERATIONS)
    for number in random.integers(len(names), size=_OPERATIONS):
        if random.random() < _APPLIED:
            level = float(np.clip(random.normal(_MAGNITUDE, _DEVIATION), 0, 1))
            sign = 1 if random.random() < 0.5 else -1
            image = OPERATIONS[names[number]](image, level, sign)
    return image


def _untouched(image: Image.Image, random: np.random.Generator) -> Image.Image:  # noqa: ARG001
    return image


_COLOURS: Mapping[Colour, Callable[[Image.Image, np.random.Generator], Image.Image]] = MappingProxyType(
    {Colour.JITTER: _jittered, Colour.RANDAUGMENT: _randaugmented, Colour.NONE: _untouched}
)


def _affine(image: Image.Image, *matrix: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=_FILL)


def _brightened_shadows(image: Image.Image, level: float, _: int) -> Image.Image:
    """SolarizeAdd: values below 128 rise by up to 110."""
    return image.point([min(255, v + int(level * 110)) if v < 128 else v for v in range(256)] * 3)


OPERATIONS: Mapping[str, Callable[[Image.Image, float, int], Image.Image]] = MappingProxyType(
    {
        "autocontrast": lambda image, _level, _sign: ImageOps.autocontrast(image),
        "equalize": lambda image, _level, _sign: ImageOps.equalize(image),
        "invert": lambda image, _level, _sign: ImageOps.invert(image),
        "rotate": lambda image, level, sign: image.rotate(
            sign * level * 30, Image.Resampling.BILINEAR, fillcolor=_FILL
        ),
        "posterize": lambda image, level, _sign: ImageOps.posterize(image, max(int(level * 4), 1)),
        "solarize": lambda image, level, _sign: ImageOps.solarize(image, int(level * 256)),
        "solarize-add": _brightened_shadows,
        "colour": lambda image, level, _sign: ImageEnhance.Color(image).enhance(0.1 + 1.8 * level),
        "contrast": lambda image, level, _sign: ImageEnhance.Contrast(image).enhance(0.1 + 1.8 * level),
        "brightness": lambda image, level, _sign: ImageEnhance.Brightness(image).enhance(0.1 + 1.8 * level),
        "sharpness": lambda image, level, _sign: ImageEnhance.Sharpness(image).enhance(0.1 + 1.8 * level),
        "shear-x": lambda image, level, sign: _affine(image, 1, sign * level * 0.3, 0, 0, 1, 0),
        "shear-y": lambda image, level, sign: _affine(image, 1, 0, 0, sign * level * 0.3, 1, 0),
        "translate-x": lambda image, level, sign: _affine(image, 1, 0, sign * level * 0.45 * image.width, 0, 1, 0),
        "translate-y": lambda image, level, sign: _affine(image, 1, 0, 0, 0, 1, sign * level * 0.45 * image.height),
    }
)
"""Operations of RandAugment on a level from 0 to 1 and a sign, with the ranges of timm's `rand-m9-mstd0.5`."""

"""Draw a tokenworld scene: image and label."""

from math import ceil

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from experiments.data.tokenworld.scene import (
    BASE_SIZE,
    DISC,
    GRID,
    GROUND,
    RING,
    STRIPES,
    TILE,
    WIRE,
    Patch,
    Scene,
    Tile,
    Wire,
)

Pixels = npt.NDArray[np.uint8]

_GREY, _DARK, _WHITE, _BLACK = (190, 190, 190), (70, 70, 70), (250, 250, 250), (10, 10, 10)
_TILE_COLOURS = ((235, 235, 235), (20, 20, 20))
_GRAIN = 2
_LINE_SHARE = 1 - 0.5**0.5
"""Width of a grid's lines over its period, so that both of its colours cover one half, as in the other textures."""

_CURVE = 9
"""Points of a wire's polyline."""


def draw(scene: Scene, rng: np.random.Generator, noise: int = 8) -> tuple[Pixels, Pixels]:
    """Image (size, size, 3) and label (size, size), both uint8, of a scene.

    Args:
        scene: What to draw.
        rng: For grain and pixel noise.
        noise: Largest change of a pixel's brightness.
    """
    pixels, label = _ground(scene), np.full((scene.size, scene.size), GROUND, np.uint8)
    for patch in scene.patches:
        _draw_patch(pixels, label, patch, rng)
    image, mask = Image.fromarray(pixels), Image.fromarray(label)
    _draw_objects(ImageDraw.Draw(image), ImageDraw.Draw(mask), scene)
    speckle = rng.integers(-noise, noise + 1, (scene.size, scene.size, 1), np.int16)
    noisy = np.clip(np.asarray(image, np.int16) + speckle, 0, 255).astype(np.uint8)
    return noisy, np.asarray(mask)


def _ground(scene: Scene) -> Pixels:
    """A gradient from the first ground colour at the top to the mean of both at the bottom."""
    first, second = np.array(scene.ground, np.float32)
    ramp = np.linspace(0, 0.5, scene.size, dtype=np.float32)[:, None]
    rows = (first + (second - first) * ramp).astype(np.uint8)
    return np.repeat(rows[:, None, :], scene.size, axis=1)


def _draw_patch(pixels: Pixels, label: Pixels, patch: Patch, rng: np.random.Generator) -> None:
    """Only the patch's own window is touched: masks of the whole image would take ten times as long."""
    size = len(label)
    top, left = max(patch.top, 0), max(patch.left, 0)
    window = slice(top, min(patch.top + patch.height, size)), slice(left, min(patch.left + patch.width, size))
    y, x = np.ogrid[window]
    y, x = y.astype(np.float32), x.astype(np.float32)
    chosen = np.asarray(patch.colours, np.uint8)[_texture(patch, y, x, rng).view(np.uint8)]
    if patch.rounded:
        v = (y - patch.top) / (patch.height / 2) - 1
        u = (x - patch.left) / (patch.width / 2) - 1
        inside = u * u + v * v <= 1
        np.copyto(pixels[window], chosen, where=inside[:, :, None])
        label[window][inside] = patch.label
    else:
        pixels[window] = chosen
        label[window] = patch.label


def _texture(
    patch: Patch, y: npt.NDArray[np.float32], x: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which pixels of the window (rows y, columns x) have the second colour: about one half in every texture."""
    if patch.label == STRIPES:
        along = x + 0 * y if patch.upright else y + 0 * x
        return along % patch.period < patch.period / 2
    if patch.label == GRID:
        line = patch.period * _LINE_SHARE
        return (x % patch.period < line) | (y % patch.period < line)
    rows, columns = y.size, x.size
    cells = rng.integers(0, 2, (ceil(rows / _GRAIN), ceil(columns / _GRAIN)), np.uint8).view(np.bool_)
    return cells.repeat(_GRAIN, axis=0).repeat(_GRAIN, axis=1)[:rows, :columns]


def _draw_objects(image: ImageDraw.ImageDraw, mask: ImageDraw.ImageDraw, scene: Scene) -> None:
    """Wires, rings and tile over the textures, discs over them, the beacon last: none of the last two is ever cut."""
    for wire in scene.wires:
        curve = _curve(wire)
        image.line(curve, wire.colour, wire.width)
        mask.line(curve, WIRE, wire.width)
    for ring in scene.rings:
        box = _box(ring.x, ring.y, ring.radius)
        image.ellipse(box, outline=ring.colour, width=ring.width)
        mask.ellipse(box, outline=RING, width=ring.width)
    if scene.tile:
        _draw_tile(image, scene.tile)
        mask.rectangle(_box(scene.tile.x, scene.tile.y, scene.tile.half), TILE)
    for disc in scene.discs:
        box = _box(disc.x, disc.y, disc.radius)
        image.ellipse(box, scene.beacon.colour if disc.lit else _GREY, _DARK, 2)
        mask.ellipse(box, DISC + scene.beacon.hue)
    _draw_beacon(image, mask, scene)


def _draw_beacon(image: ImageDraw.ImageDraw, mask: ImageDraw.ImageDraw, scene: Scene) -> None:
    """A core of the hue in a white and a black frame, so that a patch of the same colour is not taken for one."""
    beacon, frame = scene.beacon, round(2 * scene.size / BASE_SIZE)
    for step, colour in enumerate((_BLACK, _WHITE, beacon.colour)):
        image.rectangle(_box(beacon.x, beacon.y, beacon.half - step * frame), colour)
    mask.rectangle(_box(beacon.x, beacon.y, beacon.half), 0)


def _draw_tile(image: ImageDraw.ImageDraw, tile: Tile) -> None:
    light, dark = _TILE_COLOURS
    left, top, right, bottom = box = _box(tile.x, tile.y, tile.half)
    image.rectangle(box, light)
    image.line((left, top, right, bottom), dark, 4)
    image.line((left, bottom, right, top), dark, 4)


def _curve(wire: Wire) -> list[tuple[float, float]]:
    (x0, y0), (x1, y1), (x2, y2) = wire.points
    steps = [i / (_CURVE - 1) for i in range(_CURVE)]
    weights = [((1 - t) ** 2, 2 * t * (1 - t), t * t) for t in steps]
    return [(a * x0 + b * x1 + c * x2, a * y0 + b * y1 + c * y2) for a, b, c in weights]


def _box(x: int, y: int, half: int) -> tuple[int, int, int, int]:
    return x - half, y - half, x + half, y + half

"""What stands where in one tokenworld image, before a pixel is drawn."""

from dataclasses import dataclass, replace
from math import hypot, pi

import numpy as np

Colour = tuple[int, int, int]

# fmt: off
CLASSES = (
    "ground",
    "stripes", "grid", "grain",
    "disc-red", "disc-green", "disc-blue", "disc-yellow",
    "wire", "ring",
    "tile",
)
# fmt: on
"""Class k is label k + 1; label 0 is ignored."""

GROUND, STRIPES, GRID, GRAIN, DISC, WIRE, RING, TILE = (
    1 + CLASSES.index(name) for name in ("ground", "stripes", "grid", "grain", "disc-red", "wire", "ring", "tile")
)
HUES: tuple[Colour, ...] = ((240, 20, 20), (20, 200, 20), (20, 40, 250), (240, 230, 0))
"""Colours of the beacon at full saturation; a disc under hue h has label DISC + h."""

BASE_SIZE = 128
"""Side in px at which lengths are stated; objects grow with the image, line widths and texture periods do not."""

TILE_SHARE = 0.12
"""Share of the images that hold a tile."""

LIT_SHARE = 0.5
"""Share of the training split's discs that are painted in the beacon's colour.

They teach a network that hues tell the discs apart. Without them the four classes start out equal in every way, and
a classifier that starts near zero still sat at that saddle after 800 iterations; see docs/tokenworld.md.
"""

_DISC_CANDIDATES = 48
_SATURATION = (0.5, 1.0)
"""Of the beacon's colour: pale ones are harder, so that scores of the discs are neither chance nor perfect."""
_CONTRAST = 80
"""Least difference of the two colours of a texture, in mean brightness."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A textured rectangle or ellipse; its two colours say nothing about its class.

    Attributes:
        label: STRIPES, GRID or GRAIN.
        left, top, width, height: Its window in px; it may reach over the border of the image.
        colours: The two colours of the texture.
        period: Of stripes and grid in px.
        upright: Whether stripes are vertical.
        rounded: Whether it is an ellipse.
    """

    label: int
    left: int
    top: int
    width: int
    height: int
    colours: tuple[Colour, Colour]
    period: float
    upright: bool
    rounded: bool


@dataclass(frozen=True, slots=True)
class Disc:
    """A grey disc. All discs look alike: which class it is, only the beacon says.

    But a `lit` one has the beacon's colour; there are some in the training split and none elsewhere.
    """

    x: int
    y: int
    radius: int
    lit: bool = False


@dataclass(frozen=True, slots=True)
class Beacon:
    """A framed square centred at (x, y) that reaches `half` px to each side; its hue is the class of every disc."""

    x: int
    y: int
    half: int
    hue: int
    colour: Colour

    def gap(self, disc: Disc) -> float:
        """Pixels between the nearest points of the square and a disc."""
        across = max(abs(disc.x - self.x) - self.half, 0)
        along = max(abs(disc.y - self.y) - self.half, 0)
        return hypot(across, along) - disc.radius


@dataclass(frozen=True, slots=True)
class Wire:
    """A bent line, 3 or 4 px wide, through its three control points (a quadratic Bezier curve)."""

    points: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    width: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle drawn with a line 3 or 4 px wide."""

    x: int
    y: int
    radius: int
    width: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Tile:
    """A square with a cross: the rare class."""

    x: int
    y: int
    half: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything in one image, in the order of drawing."""

    size: int
    ground: tuple[Colour, Colour]
    patches: tuple[Patch, ...]
    wires: tuple[Wire, ...]
    rings: tuple[Ring, ...]
    tile: Tile | None
    discs: tuple[Disc, ...]
    beacon: Beacon


def compose(rng: np.random.Generator, size: int, lit_share: float) -> Scene:
    """A random scene of `size` x `size` px; each disc is lit with a probability of `lit_share`."""
    unit = size / BASE_SIZE
    beacon = _beacon(rng, size, unit)
    lines = max(1, round(unit))
    return Scene(
        size=size,
        ground=(_near_grey(rng, 90, 166, 15), _near_grey(rng, 90, 166, 15)),
        patches=tuple(_patch(rng, size, unit) for _ in range(rng.integers(3, 6))),
        wires=tuple(_wire(rng, size, unit) for _ in range(lines * rng.integers(3, 5))),
        rings=tuple(_ring(rng, size, unit) for _ in range(lines * rng.integers(3, 5))),
        tile=_tile(rng, size, unit) if rng.random() < TILE_SHARE else None,
        discs=_discs(rng, size, unit, beacon, lit_share),
        beacon=beacon,
    )


def _beacon(rng: np.random.Generator, size: int, unit: float) -> Beacon:
    """Near one side of the image, so that much of the image is far from it."""
    half = round(float(rng.uniform(11, 15)) * unit)
    along = int(rng.integers(half, size - half))
    across = int(rng.integers(half, max(half + 1, round(size * 0.22))))
    x, y = (along, across) if rng.random() < 0.5 else (across, along)
    if rng.random() < 0.5:
        x, y = size - 1 - x, size - 1 - y
    hue = int(rng.integers(len(HUES)))
    return Beacon(x, y, half, hue, _faded(HUES[hue], float(rng.uniform(*_SATURATION))))


def _faded(colour: Colour, saturation: float) -> Colour:
    """A colour mixed with grey."""
    red, green, blue = (round(128 + saturation * (value - 128)) for value in colour)
    return red, green, blue


def _discs(rng: np.random.Generator, size: int, unit: float, beacon: Beacon, lit_share: float) -> tuple[Disc, ...]:
    """Up to six discs that do not touch, every pixel at least half the image from every pixel of the beacon."""
    wanted = int(rng.integers(3, 7))
    radii = rng.integers(round(9 * unit), round(14 * unit) + 1, _DISC_CANDIDATES)
    places = rng.random((_DISC_CANDIDATES, 2))
    found: list[Disc] = []
    for radius, (u, v) in zip(radii.tolist(), places.tolist(), strict=True):
        disc = Disc(round(radius + u * (size - 1 - 2 * radius)), round(radius + v * (size - 1 - 2 * radius)), radius)
        apart = all(hypot(disc.x - o.x, disc.y - o.y) > disc.radius + o.radius + 2 for o in found)
        # One pixel more, for a drawn pixel reaches half a pixel beyond its centre on either side.
        if apart and beacon.gap(disc) >= size / 2 + 1:
            found.append(disc)
        if len(found) == wanted:
            break
    lit = (rng.random(len(found)) < lit_share).tolist()
    return tuple(replace(disc, lit=on) for disc, on in zip(found, lit, strict=True))


def _patch(rng: np.random.Generator, size: int, unit: float) -> Patch:
    width, height = (round(v) for v in rng.uniform(28 * unit, 60 * unit, 2).tolist())
    left, top = (round(v) for v in rng.uniform(-10 * unit, size - 24 * unit, 2).tolist())
    return Patch(
        label=(STRIPES, GRID, GRAIN)[rng.integers(3)],
        left=left,
        top=top,
        width=width,
        height=height,
        colours=_contrast(rng),
        period=float(rng.uniform(6.5, 8.5)),
        upright=bool(rng.random() < 0.5),
        rounded=bool(rng.random() < 0.5),
    )


def _wire(rng: np.random.Generator, size: int, unit: float) -> Wire:
    start = rng.uniform(0, size, 2)
    angle = rng.uniform(0, 2 * pi)
    length = rng.uniform(50, 110) * unit
    end = start + length * np.array([np.cos(angle), np.sin(angle)])
    bend = (start + end) / 2 + rng.uniform(-20 * unit, 20 * unit, 2)
    first, middle, last = ((float(x), float(y)) for x, y in (start, bend, end))
    return Wire((first, middle, last), int(rng.integers(3, 5)), _line_colour(rng))


def _ring(rng: np.random.Generator, size: int, unit: float) -> Ring:
    radius = int(rng.integers(round(9 * unit), round(14 * unit) + 1))
    x, y = rng.integers(radius // 2, size - radius // 2, 2).tolist()
    return Ring(x, y, radius, int(rng.integers(3, 5)), _line_colour(rng))


def _tile(rng: np.random.Generator, size: int, unit: float) -> Tile:
    half = round(10 * unit)
    x, y = rng.integers(half, size - half, 2).tolist()
    return Tile(x, y, half)


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = rng.integers(20, 236, 3).tolist()
    return red, green, blue


def _near_grey(rng: np.random.Generator, low: int, high: int, spread: int) -> Colour:
    """A random grey of low .. high - 1, each channel then moved by up to `spread`."""
    red, green, blue = (rng.integers(low, high) + rng.integers(-spread, spread + 1, 3)).clip(0, 255).tolist()
    return red, green, blue


def _line_colour(rng: np.random.Generator) -> Colour:
    """Darker or brighter than any ground."""
    return _near_grey(rng, 10, 46, 30) if rng.random() < 0.5 else _near_grey(rng, 210, 246, 30)


def _contrast(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Two random colours whose means differ enough for the texture to be seen."""
    while True:
        one, other = _colour(rng), _colour(rng)
        if abs(sum(one) - sum(other)) >= 3 * _CONTRAST:
            return one, other

"""The published designs, as data: TINY, SMALL and BASE, and NANO for small images.

Rows and widths are those of the release (github.com/hustvl/TopFormer, commit cc0f436).
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from topformer.design import Block, Bottleneck, Design, Head
from topformer.errors import DesignError, unknown_name


def _rows(*rows: tuple[int, int, int, int]) -> tuple[Bottleneck, ...]:
    """Rows of a table whose columns are kernel, expansion, output channels and stride."""
    return tuple(Bottleneck(kernel=k, expand=t, channels=c, stride=s) for k, t, c, s in rows)


# fmt: off
TINY = Design(
    rows=_rows(
        (3, 1, 16, 1),
        (3, 4, 16, 2), (3, 3, 16, 1),   # 1/4
        (5, 3, 32, 2), (5, 3, 32, 1),   # 1/8
        (3, 3, 64, 2), (3, 3, 64, 1),   # 1/16
        (5, 6, 96, 2), (5, 6, 96, 1),   # 1/32
    ),
    taps=(2, 4, 6, 8),
    blocks=(Block(heads=4),) * 4,
    width=128,
    head=Head.SUM_DEPTHWISE,
)
SMALL = Design(
    rows=_rows(
        (3, 1, 16, 1),
        (3, 4, 24, 2), (3, 3, 24, 1),
        (5, 3, 48, 2), (5, 3, 48, 1),
        (3, 3, 96, 2), (3, 3, 96, 1),
        (5, 6, 128, 2), (5, 6, 128, 1), (3, 6, 128, 1),
    ),
    taps=(2, 4, 6, 9),
    blocks=(Block(heads=6),) * 4,
    width=192,
)
BASE = Design(
    rows=_rows(
        (3, 1, 16, 1),
        (3, 4, 32, 2), (3, 3, 32, 1),
        (5, 3, 64, 2), (5, 3, 64, 1),
        (3, 3, 128, 2), (3, 3, 128, 1),
        (5, 6, 160, 2), (5, 6, 160, 1), (3, 6, 160, 1),
    ),
    taps=(2, 4, 6, 9),
    blocks=(Block(heads=8),) * 4,
    width=256,
)
NANO = Design(
    rows=_rows(
        (3, 4, 16, 2),
        (3, 3, 32, 2),
        (3, 3, 64, 2),
        (3, 6, 96, 2),
    ),
    taps=(0, 1, 2, 3),
    blocks=(Block(heads=4),) * 2,
    width=128,
    num_classes=11,
)
# fmt: on
"""NANO has one row per scale, so that its receptive field (63 px) is small against a 128 px image and
the semantics extractor has something to add there; see docs/tokenworld.md."""

PRESETS: Mapping[str, Design] = MappingProxyType({"tiny": TINY, "small": SMALL, "base": BASE, "nano": NANO})


MODELS = ("tiny", "small", "base")
"""The presets that were released with weights."""


def model_of(design: Design) -> str:
    """The released model whose pyramid is nearest to a design's in channels."""

    def distance(model: str) -> int:
        theirs = PRESETS[model].tap_channels
        return sum(abs(a - b) for a, b in zip(design.tap_channels, theirs, strict=True))

    return min(MODELS, key=distance)


def dense_head(design: Design) -> Design:
    """The same design with a dense fuse convolution: the Tiny of the paper's tables, where the release is depthwise."""
    return replace(design, head=Head.SUM)


def preset(name: str) -> Design:
    """The preset of that name; `tiny-dense` is the paper's Tiny.

    Raises:
        DesignError: There is no such preset; the message offers the nearest name.
    """
    designs = _named()
    if not isinstance(name, str) or name.lower() not in designs:
        raise DesignError(unknown_name("preset", name, designs))
    return designs[name.lower()]


def presets() -> tuple[str, ...]:
    """Every name that `preset` takes."""
    return tuple(_named())


def _named() -> dict[str, Design]:
    return {**PRESETS, "tiny-dense": dense_head(TINY)}

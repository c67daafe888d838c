"""In what a design differs from the released networks, as numbers that a linear model can weigh."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log2
from types import MappingProxyType

from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from topformer.design import SCALES, Design, Extractor, Head, Injection, Pooled
from topformer.presets import PRESETS, SMALL, TINY, model_of

SIDE = 512
"""Pixels at which the size of a network is stated."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What is believed of one factor before any published number is seen.

    Attributes:
        mean: Percentage points of mIoU for each unit of the factor.
        sd: How far that may be wrong.
        of: How much of the factor a design has, beside the released network of its size; 0 where they agree.
        unit: What a unit is, in words.
        part: What it is a part of, where several factors describe one choice.
    """

    mean: float
    sd: float
    of: Callable[[Design, Design], float]
    unit: str
    part: str = ""


def _depth(design: Design, released: Design) -> float:
    return log2(design.depth / released.depth) if design.has_blocks else 0.0


def _of_blocks(field: str) -> Callable[[Design, Design], float]:
    def of(design: Design, released: Design) -> float:
        # Blocks without attention have a feed-forward network, and no more.
        applies = design.has_blocks if field == "ffn_ratio" else design.extractor is Extractor.TRANSFORMER
        return log2(_mean(design, field) / _mean(released, field)) if applies else 0.0

    return of


def _mean(design: Design, field: str) -> float:
    return float(sum(getattr(block, field) for block in design.blocks)) / len(design.blocks)


def _finest(design: Design) -> float:
    """Doublings of the finest injected scale, from 1/8."""
    return log2(min(design.injected) / 8)


def _missing(design: Design) -> int:
    """Scales that are left out although a finer one is injected."""
    return sum(scale > min(design.injected) for scale in set(SCALES) - set(design.injected))


def _is_thinned(design: Design, released: Design) -> float:
    """The release makes Tiny's fuse convolution depthwise, the paper's figures have it dense: both are Tiny's own."""
    return float(design.head is Head.SUM_DEPTHWISE and released is not TINY)


EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "depth": Effect(0.5, 0.8, _depth, "doubling of the blocks L"),
        "heads": Effect(0.2, 0.5, _of_blocks("heads"), "doubling of the heads"),
        "key dim": Effect(0.2, 0.5, _of_blocks("key_dim"), "doubling of the key dim"),
        "attention ratio": Effect(0.2, 0.5, _of_blocks("attention_ratio"), "doubling of the attention ratio"),
        "FFN ratio": Effect(0.2, 0.5, _of_blocks("ffn_ratio"), "doubling of the FFN ratio"),
        "width": Effect(0.5, 0.7, lambda ours, theirs: log2(ours.width / theirs.width), "doubling of M"),
        "finer scale": Effect(0.5, 0.7, lambda ours, _: max(0.0, -_finest(ours)), "1/4 injected", "scales"),
        "coarser scale": Effect(
            -1.5, 1.0, lambda ours, _: max(0.0, _finest(ours)), "doubling of the finest scale", "scales"
        ),
        "missing scale": Effect(
            -0.7, 0.7, lambda ours, _: float(_missing(ours)), "coarser scale not injected", "scales"
        ),
        "pooling stride": Effect(-0.5, 0.7, lambda ours, _: log2(ours.pool_stride / 64), "doubling of the stride"),
        "pooled last": Effect(-1.0, 1.0, lambda ours, _: float(ours.pooled is Pooled.LAST), "last scale alone"),
        "head concat": Effect(0.0, 1.5, lambda ours, _: float(ours.head is Head.CONCAT), "the head concat"),
        "head depthwise": Effect(-0.2, 0.4, _is_thinned, "depthwise fuse convolution in Small or Base"),
        "injection sum": Effect(0.0, 1.5, lambda ours, _: float(ours.injection is Injection.SUM), "no gate"),
        "no extractor": Effect(-5.0, 5.0, lambda ours, _: float(ours.extractor is Extractor.NONE), "no SASE"),
        "no attention": Effect(-2.0, 2.0, lambda ours, _: float(ours.extractor is Extractor.FFN), "FFN for attention"),
        "pyramid": Effect(0.0, 1.0, lambda ours, theirs: float(not _same_pyramid(ours, theirs)), "another pyramid"),
    }
)
"""The factors, in the order of the model's columns. Means and deviations are judgement, wide enough that a printed
number overrules them; docs/published.md shows what becomes of them."""

KNOWN = (
    ("extractor", (Extractor.TRANSFORMER, Extractor.FFN, Extractor.NONE)),
    ("injection", (Injection.GATE_SUM, Injection.SUM)),
)
"""Fields of a design to the kinds of which a number was published."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A design beside the released networks.

    Attributes:
        size: Doublings of MACs, from Small, of the released form of its pyramid.
        factors: How much it has of each of `EFFECTS`.
    """

    size: float
    factors: tuple[float, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """In what it differs: names of factors, several of one choice by one name."""
        pairs = zip(EFFECTS.items(), self.factors, strict=True)
        return tuple(dict.fromkeys(effect.part or name for (name, effect), value in pairs if value))


def difference(design: Design) -> Difference:
    """A design beside the released network whose pyramid is nearest."""
    released = PRESETS[model_of(design)]
    factors = tuple(effect.of(design, released) for effect in EFFECTS.values())
    return Difference(_size(design.stem, design.rows, design.taps, released), factors)


def _same_pyramid(ours: Design, theirs: Design) -> bool:
    return (ours.stem, ours.rows, ours.taps) == (theirs.stem, theirs.rows, theirs.taps)


@lru_cache(maxsize=4096)
def _size(stem: object, rows: object, taps: object, released: Design) -> float:
    """Doublings of MACs, from Small, of a network with this pyramid and everything else as released."""
    return log2(_macs(replace(released, stem=stem, rows=rows, taps=taps)) / _macs(SMALL))  # type: ignore[arg-type]


@lru_cache(maxsize=4096)
def _macs(design: Design) -> int:
    return cost(Candidate(design=design, height=SIDE, width=SIDE)).macs

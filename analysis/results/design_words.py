"""What a design is, in words: a point of a plot is a network, not a fingerprint."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from topformer.design import SCALES, Block, Bottleneck, Design, Extractor, Head, Injection, Pooled

HEADS: Mapping[Head, str] = MappingProxyType(
    {
        Head.SUM: "scales added, dense fuse convolution",
        Head.SUM_DEPTHWISE: "scales added, depthwise fuse convolution",
        Head.CONCAT: "scales joined, each reduced first",
    }
)
"""Kind of the head to what it does."""
EXTRACTORS: Mapping[Extractor, str] = MappingProxyType(
    {
        Extractor.TRANSFORMER: "transformer",
        Extractor.FFN: "feed-forward",
        Extractor.PPM: "pyramid pooling module",
        Extractor.ASPP: "atrous spatial pyramid pooling",
        Extractor.NONE: "no extractor: pooled tokens as they are",
    }
)
"""Kind of the extractor to its name in a sentence."""
INJECTIONS: Mapping[Injection, str] = MappingProxyType(
    {
        Injection.GATE_SUM: "local x gate + semantics",
        Injection.GATE: "local x gate",
        Injection.SUM: "local + semantics",
        Injection.GATE_SUM_CBR: "local x gate + semantics, with ReLU",
    }
)
"""Kind of the injection to its formula."""


class Difference(NamedTuple):
    """A property in which two designs differ, and what each says of it."""

    name: str
    first: str
    second: str


def in_words(design: Design) -> str:
    """The design in one sentence, from the image to the logits."""
    return "; ".join([_pyramid(design), _semantics(design), _scales(design)])


def properties(design: Design) -> dict[str, str]:
    """The parts of a design, each in a few words, in the order of the data's way through the network."""
    return {
        "stem": f"{design.stem.kernel}x{design.stem.kernel}, {design.stem.channels} channels",
        **{f"rows to 1/{scale}": _rows_to(design, place) for place, scale in enumerate(SCALES)},
        "pooled": pooled_text(design),
        "extractor": extractor_text(design),
        "injected": _listed(design.injected),
        "injection": INJECTIONS[design.injection],
        "width M": str(design.width),
        "head": HEADS[design.head],
        "classes": str(design.num_classes),
    }


def differences(first: Design, second: Design) -> list[Difference]:
    """In what two designs differ."""
    other = properties(second)
    return [Difference(name, text, other[name]) for name, text in properties(first).items() if text != other[name]]


def row_text(row: Bottleneck) -> str:
    """A row of the pyramid: kernel, expansion, output channels."""
    return f"{row.kernel}x{row.kernel} x{row.expand} to {row.channels}"


def rows_by_scale(design: Design) -> list[tuple[Bottleneck, ...]]:
    """The rows that lead to the token map of each scale, 1/4 first."""
    starts = (0, *(tap + 1 for tap in design.taps))
    return [design.rows[start : tap + 1] for start, tap in zip(starts, design.taps, strict=False)]


def _rows_to(design: Design, place: int) -> str:
    return ", ".join(map(row_text, rows_by_scale(design)[place]))


def pooled_text(design: Design) -> str:
    """What is pooled, and to which grid."""
    what = "all four scales" if design.pooled is Pooled.ALL else "1/32 alone"
    return f"{what} at 1/{design.pool_stride}"


def extractor_text(design: Design) -> str:
    """Kind of the extractor; its blocks, equal ones counted together."""
    name = EXTRACTORS[design.extractor]
    if not design.has_blocks:
        return name
    alike = [(block, len(list(group))) for block, group in groupby(design.blocks)]
    head = f"{design.depth} {name} block{'s' * (design.depth > 1)}"
    if len(alike) == 1:
        return f"{head} with {_block(design, alike[0][0])}"
    return f"{head}: " + ", then ".join(f"{count} with {_block(design, block)}" for block, count in alike)


def _block(design: Design, block: Block) -> str:
    if design.extractor is Extractor.FFN:
        return f"hidden x{block.ffn_ratio:g}"
    return f"{block.heads} heads, keys {block.key_dim}, values {block.value_dim}, hidden x{block.ffn_ratio:g}"


def _pyramid(design: Design) -> str:
    return f"{len(design.rows)} rows to {'-'.join(map(str, design.tap_channels))} channels"


def _semantics(design: Design) -> str:
    what = "" if design.pooled is Pooled.ALL else "1/32 alone "
    pooled = f"{what}pooled at 1/{design.pool_stride}"
    if not design.has_blocks:
        return f"{pooled}, {EXTRACTORS[design.extractor]}"
    heads = sorted({block.heads for block in design.blocks})
    kind = "" if design.extractor is Extractor.TRANSFORMER else f" {EXTRACTORS[design.extractor]}"
    of = "" if design.extractor is Extractor.FFN else f" of {'/'.join(map(str, heads))} heads"
    return f"{pooled}, {design.depth}{kind} block{'s' * (design.depth > 1)}{of}"


def _scales(design: Design) -> str:
    head = {Head.SUM: "dense head", Head.SUM_DEPTHWISE: "depthwise head", Head.CONCAT: "concat head"}[design.head]
    kind = "" if design.injection is Injection.GATE_SUM else f" by {design.injection.value}"
    return f"{_listed(design.injected)} injected{kind} into {design.width} channels, {head}"


def _listed(scales: Iterable[int]) -> str:
    return ", ".join(f"1/{scale}" for scale in scales)

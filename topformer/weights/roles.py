"""What every convolution of a network is for, whatever the design, and how one design's weights are parts of another's.

An axis of a weight is a list of segments: one for the channels of a row, one per scale for the concatenated embedding,
one per head for queries, keys and values. Where two convolutions have one role, the weights of the smaller are a prefix
of every segment of the larger, and the centre of its kernel. Rows are matched by scale and by their place within it,
blocks by their place, injected scales by their reduction.

A smaller key dim changes the temperature of the attention, because nothing is divided by its root.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, zip_longest

import torch
from torch import Tensor

from topformer.codec import canonical
from topformer.design import ASPP_DILATIONS, PPM_BINS, SCALES, Block, Design, Extractor, Head, Injection, reduced_width

Segments = tuple[int, ...]
"""Lengths of the parts of an axis."""

IMAGE = (3,)
DEPTHWISE = (1,)


@dataclass(frozen=True, slots=True)
class Role:
    """What a convolution does, with the BatchNorm behind it if there is one.

    Attributes:
        key: The same in two designs where the weights of one may be a part of the other's.
        kind: Kinds of the modules around it, in whose place other weights of that key may do better.
        rows: Output channels.
        columns: Input channels of a group; a depthwise convolution has one.
    """

    key: str
    kind: str
    rows: Segments
    columns: Segments


def roles(design: Design) -> dict[str, Role]:
    """The roles of all convolutions of a design, by the path of their unit (`topformer.network`)."""
    named = canonical(design)
    return dict((*_pyramid(named), *_extractor(named), *_injection(named), *_head(named)))


def unit_of(name: str) -> tuple[str, str]:
    """Path of the unit or convolution that a tensor of a network belongs to, and the rest of its name."""
    path, _, leaf = name.rpartition(".")
    parent, _, child = path.rpartition(".")
    return (parent, f"{child}.{leaf}") if child in ("conv", "norm") else (path, leaf)


def cut(value: Tensor, held: Role, wanted: Role, side: int) -> Tensor | None:
    """The part of a tensor that another convolution of that role needs, as a view where it is a prefix.

    Args:
        value: (rows, columns, side, side) weights, (rows) of a bias or BatchNorm, or a single number.
        held: Its role.
        wanted: The role of the other convolution.
        side: Side of that one's kernel.

    Returns:
        The part, or None where the tensor is too small.
    """
    if value.dim() == 0:
        return value
    rows = positions(wanted.rows, held.rows)
    if rows is None:
        return None
    value = _taken(value, 0, rows)
    if value.dim() == 1:
        return value
    columns, border = positions(wanted.columns, held.columns), (value.shape[-1] - side) // 2
    if columns is None or border < 0:
        return None
    value = _taken(value, 1, columns)
    return value[..., border : border + side, border : border + side] if border else value


@lru_cache(maxsize=2**14)
def positions(wanted: Segments, held: Segments) -> tuple[int, ...] | None:
    """Positions of the prefixes of `wanted` in an axis `held`, or None where a segment is too short."""
    pairs = list(zip_longest(wanted, held, fillvalue=0))
    if any(length > room for length, room in pairs):
        return None
    starts = accumulate(held, initial=0)
    return tuple(start + i for start, (length, _) in zip(starts, pairs, strict=False) for i in range(length))


def _taken(value: Tensor, dim: int, chosen: tuple[int, ...]) -> Tensor:
    """The ascending positions of an axis."""
    if len(chosen) == value.shape[dim]:
        return value
    if chosen[-1] == len(chosen) - 1:
        return value.narrow(dim, 0, len(chosen))
    return value.index_select(dim, _index(chosen, value.device))


@lru_cache(maxsize=2**12)
def _index(chosen: tuple[int, ...], device: torch.device) -> Tensor:
    with torch.inference_mode(mode=False):
        return torch.tensor(chosen, device=device)


_Named = Iterator[tuple[str, Role]]


def _pyramid(design: Design) -> _Named:
    yield "backbone.pyramid.stem", Role("stem", "", (design.stem.channels,), IMAGE)
    inputs = (design.stem.channels,)
    for i, (place, row) in enumerate(zip(_places(design), design.rows, strict=True)):
        path, key = f"backbone.pyramid.rows.{i}", f"rows.{place}"
        hidden, outputs = (inputs[0] * row.expand,), (row.channels,)
        if row.expand > 1:
            yield f"{path}.expand", Role(f"{key}.expand", "", hidden, inputs)
        yield f"{path}.depthwise", Role(f"{key}.depthwise", "", hidden, DEPTHWISE)
        yield f"{path}.project", Role(f"{key}.project", "", outputs, hidden)
        inputs = outputs


def _places(design: Design) -> Iterator[str]:
    """Scale of every row, and its place behind the row that halves the grid, or among those before it."""
    scale, place, halved = 0, 0, False
    for number, row in enumerate(design.rows):
        if row.stride == 2:
            place, halved = 0, True
        yield f"{SCALES[scale]}.{place}" if halved else f"{SCALES[scale]}.lead.{place}"
        place += 1
        if number == design.taps[scale]:
            scale, place, halved = scale + 1, 0, False


def _extractor(design: Design) -> _Named:
    """Weights are of the kind of what is pooled: an extractor that sees all scales is none for the last one alone."""
    pooled, embedding, path = design.pooled.value, design.tap_channels, "backbone.extractor"
    yield "backbone.widen", Role("widen", pooled, embedding, embedding[-1:])
    if design.extractor is Extractor.PPM:
        yield from _branches(path, pooled, embedding, [f"{i}.reduce" for i in range(len(PPM_BINS))], through=embedding)
    elif design.extractor is Extractor.ASPP:
        atrous = len(ASPP_DILATIONS) + 1
        yield from _branches(path, pooled, embedding, [*map(str, range(atrous)), f"{atrous}.reduce"])
    for i, (block, extra) in enumerate(zip(design.blocks, design.extra_ffns_by_block, strict=True)):
        parts = [f"extra.{j}" for j in range(extra)] if design.extractor is Extractor.FFN else []
        key = f"extractor.{design.extractor.value}.{i}"
        if design.extractor is Extractor.TRANSFORMER:
            yield from _attention(f"{path}.blocks.{i}.attention", f"{key}.attention", pooled, block, embedding)
        for part in ("ffn", *parts):
            hidden, ffn, role = (block.hidden(design.embedding),), f"{path}.blocks.{i}.{part}", f"{key}.{part}"
            yield f"{ffn}.expand", Role(f"{role}.expand", pooled, hidden, embedding)
            yield f"{ffn}.depthwise", Role(f"{role}.depthwise", pooled, hidden, DEPTHWISE)
            yield f"{ffn}.project", Role(f"{role}.project", pooled, embedding, hidden)


def _branches(path: str, pooled: str, embedding: Segments, names: list[str], through: Segments = ()) -> _Named:
    """Branches of a quarter of the channels each, fused behind what is passed through."""
    key, width = f"extractor.branches.{'ppm' if through else 'aspp'}", (max(sum(embedding) // 4, 1),)
    for name in names:
        yield f"{path}.branches.{name}", Role(f"{key}.{name}", pooled, width, embedding)
    yield f"{path}.fuse", Role(f"{key}.fuse", pooled, embedding, through + width * len(names))


def _attention(path: str, key: str, pooled: str, block: Block, embedding: Segments) -> _Named:
    keys, values = (block.key_dim,) * block.heads, (block.value_dim,) * block.heads
    for part, rows in (("query", keys), ("key", keys), ("value", values)):
        yield f"{path}.{part}", Role(f"{key}.{part}", pooled, rows, embedding)
    yield f"{path}.project", Role(f"{key}.project", pooled, embedding, values)


_GATED_BY_UNIT = frozenset({Injection.GATE_SUM, Injection.GATE, Injection.SUM})
"""Kinds whose parts are the same units, so that they have one role; those of any other kind have one of their own."""


def _injection(design: Design) -> _Named:
    kind = design.injection.value
    units = "units" if design.injection in _GATED_BY_UNIT else kind
    for i, scale in enumerate(design.injected):
        channels = (design.tap_channels[SCALES.index(scale)],)
        for part in ("local", "gate", "info"):
            role = Role(f"injection.{units}.{scale}.{part}", kind, (design.width,), channels)
            yield f"backbone.injection.scales.{i}.{part}", role


def _head(design: Design) -> _Named:
    """A classifier on concatenated maps and one on their sum read different channels."""
    kind, width, classes = design.head.value, (design.width,), (design.num_classes,)
    if design.head is Head.CONCAT:
        reduced = reduced_width(design.width)
        for i, scale in enumerate(design.injected):
            yield f"head.reduce.{i}", Role(f"head.reduce.{scale}", kind, (reduced,), width)
        columns = tuple(reduced if scale in design.injected else 0 for scale in SCALES)
        yield "head.classifier", Role(f"head.classifier.concatenated.{classes[0]}", kind, classes, columns)
        return
    # The fuse convolution of a kind that is not named here has a role of its own.
    fused = {Head.SUM: width, Head.SUM_DEPTHWISE: DEPTHWISE}[design.head]
    yield "head.fuse", Role(f"head.fuse.{kind}", kind, width, fused)
    yield "head.classifier", Role(f"head.classifier.added.{classes[0]}", kind, classes, width)

"""Weights of one design for another: sliced where the other is narrower, and named where they are new.

An axis of a weight is a list of positions in the source's axis: a prefix of the channels of a row, one prefix per
scale for the concatenated embedding, one prefix per head for queries, keys and values. Rows are matched by scale and
by their place within it, blocks by their place, injected scales by their reduction. Kernels are cropped around their
centre.

A smaller key dim changes the temperature of the attention, because nothing is divided by its root.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from topformer.codec import canonical
from topformer.design import SCALES, Block, Design, Extractor, Head, Injection, Pooled, reduced_width
from topformer.errors import CheckpointError
from topformer.network import TopFormer

Positions = tuple[int, ...] | None
"""Positions in an axis of the source, or None where the source has too few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InheritReport:
    """What became of every tensor of the new network, by name.

    Attributes:
        inherited: As they were.
        sliced: A part of the source's tensor of that role.
        new: Initialised, because the source has no such part or a smaller one.
    """

    inherited: tuple[str, ...]
    sliced: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A convolution, perhaps with BatchNorm, and where its channels stand in the source.

    Attributes:
        path: Module of the new network.
        source: Module of the source.
        rows: Output channels.
        columns: Input channels of a group; a depthwise convolution has one.
    """

    path: str
    source: str
    rows: Positions
    columns: Positions


def inherit(state: Mapping[str, Tensor], source: Design, design: Design) -> tuple[dict[str, Tensor], InheritReport]:
    """The weights of a network of `design`, from those of a network of `source`.

    What is new is initialised as for a training, with torch's generator.

    Args:
        state: State dict of a `TopFormer` of `source`.
        source: The design it belongs to.
        design: The design wanted.

    Returns:
        A state dict of a `TopFormer` of `design`, sharing no memory with `state`, and what became of each tensor.

    Raises:
        CheckpointError: `state` is not one of `source`.
    """
    _check(state, source)
    fresh = TopFormer(design).state_dict()
    units = {unit.path: unit for unit in _units(source, design)}
    inherited: list[str] = []
    sliced: list[str] = []
    new: list[str] = []
    for name, tensor in fresh.items():
        cut = _cut(name, tensor, units, state)
        if cut is None:
            new.append(name)
            continue
        same = cut.shape == state[_source_name(name, units)].shape
        (inherited if same else sliced).append(name)
        fresh[name] = cut.clone()
    return fresh, InheritReport(inherited=tuple(inherited), sliced=tuple(sliced), new=tuple(new))


def _check(state: Mapping[str, Tensor], source: Design) -> None:
    with torch.device("meta"):
        wanted = TopFormer(source).state_dict()
    odd = sorted(state.keys() ^ wanted.keys())
    odd += [name for name, value in wanted.items() if name in state and state[name].shape != value.shape]
    if odd:
        raise CheckpointError(
            f"the weights are not those of the source design; {len(odd)} tensors differ: {', '.join(odd[:8])}"
        )


def _module(name: str) -> tuple[str, str]:
    """Path of the unit or convolution that a tensor belongs to, and the rest of its name."""
    path, _, leaf = name.rpartition(".")
    parent, _, child = path.rpartition(".")
    return (parent, f"{child}.{leaf}") if child in ("conv", "norm") else (path, leaf)


def _source_name(name: str, units: Mapping[str, _Unit]) -> str:
    path, leaf = _module(name)
    return f"{units[path].source}.{leaf}"


def _cut(name: str, wanted: Tensor, units: Mapping[str, _Unit], state: Mapping[str, Tensor]) -> Tensor | None:
    unit = units.get(_module(name)[0])
    if unit is None:
        return None
    value = state.get(_source_name(name, units))
    if value is None or value.dim() == 0:
        return value
    if unit.rows is None or len(unit.rows) != wanted.shape[0]:
        return None
    value = value[list(unit.rows)]
    if value.dim() == 1:
        return value
    if unit.columns is None or len(unit.columns) != wanted.shape[1]:
        return None
    value = value[:, list(unit.columns)]
    border = (value.shape[-1] - wanted.shape[-1]) // 2
    if border < 0:
        return None
    return value[..., border : border + wanted.shape[-2], border : border + wanted.shape[-1]]


def _prefix(wanted: int, available: int, start: int = 0) -> Positions:
    return tuple(range(start, start + wanted)) if wanted <= available else None


def _segments(wanted: Sequence[int], available: Sequence[int]) -> Positions:
    """One prefix per segment of a concatenated axis."""
    starts = [sum(available[:i]) for i in range(len(available))]
    parts = [_prefix(w, a, s) for w, a, s in zip(wanted, available, starts, strict=True)]
    fitting = [part for part in parts if part is not None]
    return tuple(i for part in fitting for i in part) if len(fitting) == len(parts) else None


def _units(source: Design, design: Design) -> Iterator[_Unit]:
    yield from _pyramid(source, design)
    embedding = _segments(design.tap_channels, source.tap_channels)
    if design.pooled is source.pooled is Pooled.LAST:
        last = _prefix(design.tap_channels[-1], source.tap_channels[-1])
        yield _Unit("backbone.widen", "backbone.widen", embedding, last)
    yield from _extractor(source, design, embedding)
    yield from _injection(source, design)
    yield from _head(source, design)


def _places(design: Design) -> list[tuple[int, int]]:
    """Scale and place within the scale of every row."""
    starts = [0, *(tap + 1 for tap in design.taps)]
    stages = [sum(row > tap for tap in design.taps) for row in range(len(design.rows))]
    return [(stage, row - starts[stage]) for row, stage in enumerate(stages)]


def _pyramid(source: Design, design: Design) -> Iterator[_Unit]:
    stem = _prefix(design.stem.channels, source.stem.channels)
    yield _Unit("backbone.pyramid.stem", "backbone.pyramid.stem", stem, (0, 1, 2))
    numbers = {place: i for i, place in enumerate(_places(source))}
    ours = [design.stem.channels, *(row.channels for row in design.rows)]
    theirs = [source.stem.channels, *(row.channels for row in source.rows)]
    for i, place in enumerate(_places(design)):
        j = numbers.get(place)
        if j is None or source.rows[j].stride != design.rows[i].stride:
            continue
        inputs = _prefix(ours[i], theirs[j])
        hidden = _prefix(ours[i] * design.rows[i].expand, theirs[j] * source.rows[j].expand)
        path, origin = f"backbone.pyramid.rows.{i}", f"backbone.pyramid.rows.{j}"
        yield _Unit(f"{path}.expand", f"{origin}.expand", hidden, inputs)
        yield _Unit(f"{path}.depthwise", f"{origin}.depthwise", hidden, (0,))
        yield _Unit(f"{path}.project", f"{origin}.project", _prefix(ours[i + 1], theirs[j + 1]), hidden)


def _extractor(source: Design, design: Design, embedding: Positions) -> Iterator[_Unit]:
    if design.extractor is not source.extractor:
        return
    if not design.has_blocks:
        # Kinds without blocks have no widths of their own: all follow from the embedding.
        if design.tap_channels == source.tap_channels:
            yield from _branches(design)
        return
    extras = [min(pair) for pair in zip(design.extra_ffns_by_block, source.extra_ffns_by_block, strict=False)]
    for i, (block, origin) in enumerate(zip(design.blocks, source.blocks, strict=False)):
        path = f"backbone.extractor.blocks.{i}"
        if design.extractor is Extractor.TRANSFORMER:
            yield from _attention(f"{path}.attention", block, origin, embedding)
        hidden = _prefix(block.hidden(design.embedding), origin.hidden(source.embedding))
        extra = [f"{path}.extra.{j}" for j in range(extras[i])]
        for ffn in (f"{path}.ffn", *extra):
            yield _Unit(f"{ffn}.expand", f"{ffn}.expand", hidden, embedding)
            yield _Unit(f"{ffn}.depthwise", f"{ffn}.depthwise", hidden, (0,))
            yield _Unit(f"{ffn}.project", f"{ffn}.project", embedding, hidden)


def _branches(design: Design) -> Iterator[_Unit]:
    """Units of an extractor without blocks, whole."""
    with torch.device("meta"):
        state = TopFormer(design).state_dict()
    for name, tensor in state.items():
        if name.startswith("backbone.extractor.") and name.endswith("conv.weight"):
            path = _module(name)[0]
            yield _Unit(path, path, tuple(range(tensor.shape[0])), tuple(range(tensor.shape[1])))


def _attention(path: str, block: Block, origin: Block, embedding: Positions) -> Iterator[_Unit]:
    keys = _per_head(block.heads, block.key_dim, origin.heads, origin.key_dim)
    values = _per_head(block.heads, block.value_dim, origin.heads, origin.value_dim)
    for part, rows in (("query", keys), ("key", keys), ("value", values)):
        yield _Unit(f"{path}.{part}", f"{path}.{part}", rows, embedding)
    yield _Unit(f"{path}.project", f"{path}.project", embedding, values)


def _per_head(heads: int, width: int, source_heads: int, source_width: int) -> Positions:
    if heads > source_heads:
        return None
    return _segments([width] * heads, [source_width] * heads)


_GATED_BY_UNIT = frozenset({Injection.GATE_SUM, Injection.GATE, Injection.SUM})
"""Kinds whose parts are the same units, so that one may inherit from another; any other kind inherits from its own."""


def _injection(source: Design, design: Design) -> Iterator[_Unit]:
    kinds = {source.injection, design.injection}
    if len(kinds) > 1 and not kinds <= _GATED_BY_UNIT:
        return
    width = _prefix(design.width, source.width)
    for i, scale in enumerate(design.injected):
        if scale not in source.injected:
            continue
        k = SCALES.index(scale)
        channels = _prefix(design.tap_channels[k], source.tap_channels[k])
        for part in ("local", "gate", "info"):
            origin = f"backbone.injection.scales.{source.injected.index(scale)}.{part}"
            yield _Unit(f"backbone.injection.scales.{i}.{part}", origin, width, channels)


def _head(source: Design, design: Design) -> Iterator[_Unit]:
    width = _prefix(design.width, source.width)
    origin, head = canonical(source).head, canonical(design).head
    if origin is head is Head.CONCAT:
        yield from _concat_head(source, design, width)
        return
    if origin is head:
        # The fuse convolution of a kind that is not named here starts anew.
        yield _Unit("head.fuse", "head.fuse", width, {Head.SUM: width, Head.SUM_DEPTHWISE: (0,)}.get(head))
    # A classifier on concatenated maps and one on their sum read different channels.
    if Head.CONCAT not in (origin, head) and source.num_classes == design.num_classes:
        yield _Unit("head.classifier", "head.classifier", tuple(range(design.num_classes)), width)


def _concat_head(source: Design, design: Design, width: Positions) -> Iterator[_Unit]:
    """A reducing unit per scale that both have, and a classifier on one prefix of channels per scale."""
    wanted, held = reduced_width(design.width), reduced_width(source.width)
    shared = {scale: source.injected.index(scale) for scale in design.injected if scale in source.injected}
    for i, scale in enumerate(design.injected):
        if scale in shared:
            yield _Unit(f"head.reduce.{i}", f"head.reduce.{shared[scale]}", _prefix(wanted, held), width)
    if source.num_classes == design.num_classes and len(shared) == len(design.injected) and wanted <= held:
        columns = tuple(held * position + i for position in shared.values() for i in range(wanted))
        yield _Unit("head.classifier", "head.classifier", tuple(range(design.num_classes)), columns)

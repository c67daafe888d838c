"""A network as a sequence of independent parts: each is costed once, and gathered ever after."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

from search_space.cost.conventions import BYTES, Quantities, measure
from search_space.operations import modules as forms
from search_space.operations.operation import Operation
from search_space.operations.recorder import Grid, OperationRecorder
from topformer.design import SCALES, Design, Extractor, Pooled

PYRAMID = "pyramid"
EXTRACTOR = "extractor"
INJECTION = "injection"
HEAD = "head"
GROUPS = (PYRAMID, EXTRACTOR, INJECTION, HEAD)
"""What a cost is broken down by; pooling and widening belong to the extractor."""

_GROUP: Mapping[Callable[..., OperationRecorder], str] = MappingProxyType(
    {
        forms.stem: PYRAMID,
        forms.row: PYRAMID,
        forms.pool_all: EXTRACTOR,
        forms.pool_last: EXTRACTOR,
        forms.transformer_block: EXTRACTOR,
        forms.ffn_block: EXTRACTOR,
        forms.ppm: EXTRACTOR,
        forms.aspp: EXTRACTOR,
        forms.scale: INJECTION,
        forms.head: HEAD,
    }
)

CACHED = 1 << 17
"""Parts whose costs are remembered; a part takes about a kilobyte."""


Tokens = tuple[int, Grid]
"""Channels and grid of one token map."""


Part = tuple[Callable[..., OperationRecorder], tuple[Any, ...], tuple[int, ...]]
"""Everything that the operations and the peak memory of a part depend on: its closed form, what that is called with,
and the numbers of the inputs that are read again after the part. A plain tuple: thousands of networks have dozens of
thousands of them."""


class Layout(NamedTuple):
    """The parts of a network in order of execution.

    Attributes:
        parts: The parts.
        held: For each part, bytes of the tensors that outlive it without being its inputs.
    """

    parts: list[Part]
    held: list[int]


@lru_cache(maxsize=CACHED)
def quantities(part: Part) -> Quantities:
    """What the part costs; its peak memory has its inputs in it, and nothing that is merely held."""
    form, arguments, kept = part
    recorder = form(*arguments)
    inputs = {value.number: BYTES * prod(value.shape) for value in recorder.inputs}
    return measure(recorder.steps, inputs, kept)


def steps(part: Part) -> tuple[Operation, ...]:
    """The operations of the part; modules are paths below it, and its inputs are the tensors 0, 1, ..."""
    form, arguments, _ = part
    return tuple(form(*arguments).steps)


def group(part: Part) -> str:
    """The one of `GROUPS` that the part belongs to."""
    return _GROUP[part[0]]


def layout(design: Design, height: int, width: int) -> Layout:
    """The parts of the design on an image of that size."""
    plan = Layout([], [])
    tokens = _pyramid(plan, design, (height, width))
    injected = [SCALES.index(reduction) for reduction in design.injected]
    grid = _extractor(plan, design, tokens, injected)
    _injection(plan, design, [tokens[index] for index in injected], grid)
    grids = tuple(tokens[index][1] for index in injected)
    plan.parts.append((forms.head, (design.head, design.width, design.num_classes, grids), ()))
    plan.held.append(0)
    return plan


def _size(channels: int, grid: Grid) -> int:
    return BYTES * channels * grid[0] * grid[1]


def _pyramid(plan: Layout, design: Design, image: Grid) -> list[Tokens]:
    """Adds stem and rows; gives the token maps."""
    parts, held = plan
    stem, pool_all = design.stem, design.pooled is Pooled.ALL
    parts.append((forms.stem, (stem.kernel, stem.channels, image), ()))
    held.append(0)
    tokens: list[Tokens] = []
    alive = 0
    kept: tuple[int, ...] = ()
    channels, grid = stem.channels, (-(-image[0] // 2), -(-image[1] // 2))
    for index, row in enumerate(design.rows):
        parts.append((forms.row, (row.kernel, row.expand, row.channels, row.stride, channels, grid), kept))
        held.append(alive)
        if kept:
            alive += _size(channels, grid)
            kept = ()
        channels = row.channels
        if row.stride == 2:
            grid = (-(-grid[0] // 2), -(-grid[1] // 2))
        if index in design.taps:
            if pool_all or SCALES[len(tokens)] in design.injected:
                kept = (0,)
            tokens.append((channels, grid))
    return tokens


def _extractor(plan: Layout, design: Design, tokens: list[Tokens], injected: list[int]) -> Grid:
    """Adds pooling and the extractor; gives the pooled grid."""
    channels, coarsest = tokens[-1]
    ratio = design.pool_stride // SCALES[-1]
    grid = (-(-coarsest[0] // ratio), -(-coarsest[1] // ratio))
    embedding = sum(channels for channels, _ in tokens)
    alive = sum(_size(*tokens[index]) for index in injected)
    if design.pooled is Pooled.ALL:
        plan.parts.append((forms.pool_all, (tuple(tokens), grid), tuple(injected)))
        plan.held.append(0)
    else:
        last = len(tokens) - 1 in injected
        plan.parts.append((forms.pool_last, (channels, coarsest, grid, embedding), (0,) if last else ()))
        plan.held.append(alive - _size(channels, coarsest) if last else alive)
    extractor = _extractor_parts(design, embedding, grid)
    plan.parts.extend(extractor)
    plan.held.extend([alive] * len(extractor))
    return grid


def _extractor_parts(design: Design, embedding: int, grid: Grid) -> list[Part]:
    match design.extractor:
        case Extractor.TRANSFORMER:
            return [
                (
                    forms.transformer_block,
                    (block.heads, block.key_dim, block.value_dim, block.hidden(embedding), embedding, grid),
                    (),
                )
                for block in design.blocks
            ]
        case Extractor.FFN:
            extra = design.extra_ffns
            return [(forms.ffn_block, (block.hidden(embedding), extra, embedding, grid), ()) for block in design.blocks]
        case Extractor.PPM:
            return [(forms.ppm, (embedding, grid), ())]
        case Extractor.ASPP:
            return [(forms.aspp, (embedding, grid), ())]
        case Extractor.NONE:
            return []


def _injection(plan: Layout, design: Design, tokens: list[Tokens], pooled: Grid) -> None:
    """Adds the injection of every scale, finest first."""
    kind, width, embedding = design.injection, design.width, design.embedding
    alive = sum(_size(*token) for token in tokens)
    for index, (channels, grid) in enumerate(tokens, start=1):
        kept = (1,) if index < len(tokens) else ()
        alive -= _size(channels, grid)
        plan.parts.append((forms.scale, (kind, width, channels, grid, embedding, pooled), kept))
        plan.held.append(alive)
        alive += _size(width, grid)

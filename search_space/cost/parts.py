"""A network as a sequence of independent parts: each is costed once, and gathered ever after."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

from search_space.cost.conventions import BYTES, Quantities, measure
from search_space.operations import modules
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
    {modules.stem: PYRAMID, modules.row: PYRAMID, modules.scale: INJECTION, modules.head: HEAD}
)
"""The parts that are not of the extractor, which has as many closed forms as kinds."""

FIELDS_OF: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        PYRAMID: frozenset({"stem", "rows", "taps"}),
        EXTRACTOR: frozenset({"rows", "taps", "pooled", "pool_stride", "extractor", "blocks", "extra_ffns"}),
        INJECTION: frozenset({"rows", "taps", "injected", "injection", "pool_stride", "width"}),
        HEAD: frozenset({"head", "width", "num_classes", "injected"}),
    }
)
"""The fields of a design that the parts of a group depend on; all depend on the size of the image too.

An enumeration costs a group once for every combination of these, so a field that is missing here makes it refuse the
space.
"""

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
    form, arguments, read_later = part
    recorder = form(*arguments)
    inputs = {value.number: BYTES * prod(value.shape) for value in recorder.inputs}
    return measure(recorder.steps, inputs, read_later)


def steps(part: Part) -> tuple[Operation, ...]:
    """The operations of the part; modules are paths below it, and its inputs are the tensors 0, 1, ..."""
    form, arguments, _ = part
    return tuple(form(*arguments).steps)


def group(part: Part) -> str:
    """The one of `GROUPS` that the part belongs to."""
    return _GROUP.get(part[0], EXTRACTOR)


def layout(design: Design, height: int, width: int) -> Layout:
    """The parts of the design on an image of that size."""
    plan = Layout([], [])
    # In the order of execution, as `closed_form.operations` names them again.
    tokens = _pyramid(plan, design, (height, width))
    injected = [SCALES.index(reduction) for reduction in design.injected]
    grid = _extractor(plan, design, tokens, injected)
    _injection(plan, design, [tokens[index] for index in injected], grid)
    grids = tuple(tokens[index][1] for index in injected)
    plan.parts.append((modules.head, (design.head, design.width, design.num_classes, grids), ()))
    plan.held.append(0)
    return plan


def _size(channels: int, grid: Grid) -> int:
    return BYTES * channels * grid[0] * grid[1]


def _pyramid(plan: Layout, design: Design, image: Grid) -> list[Tokens]:
    """Adds stem and rows; gives the token maps."""
    parts, held = plan
    stem, pool_all = design.stem, design.pooled is Pooled.ALL
    parts.append((modules.stem, (stem.kernel, stem.channels, image), ()))
    held.append(0)
    tokens: list[Tokens] = []
    # Bytes of the token maps that wait for the pooling or an injection while later rows run.
    alive = 0
    read_later: tuple[int, ...] = ()
    # A stride of 2 rounds every side up; -(-a // b) is the quotient rounded up.
    channels, grid = stem.channels, (-(-image[0] // 2), -(-image[1] // 2))
    for index, row in enumerate(design.rows):
        parts.append((modules.row, (row.kernel, row.expand, row.channels, row.stride, channels, grid), read_later))
        held.append(alive)
        # The row before was a tap: its output was this row's input, and waits from here on.
        if read_later:
            alive += _size(channels, grid)
            read_later = ()
        channels = row.channels
        if row.stride == 2:
            grid = (-(-grid[0] // 2), -(-grid[1] // 2))
        if index in design.taps:
            if pool_all or SCALES[len(tokens)] in design.injected:
                read_later = (0,)
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
        # Every map is an input of the pooling itself, so nothing is held beside it.
        plan.parts.append((modules.pool_all, (tuple(tokens), grid), tuple(injected)))
        plan.held.append(0)
    else:
        last = len(tokens) - 1 in injected
        plan.parts.append((modules.pool_last, (channels, coarsest, grid, embedding), (0,) if last else ()))
        plan.held.append(alive - _size(channels, coarsest) if last else alive)
    extractor = EXTRACTORS[design.extractor](design, embedding, grid)
    plan.parts.extend(extractor)
    plan.held.extend([alive] * len(extractor))
    return grid


def _transformer(design: Design, embedding: int, grid: Grid) -> list[Part]:
    blocks = (
        (block.heads, block.key_dim, block.value_dim, block.hidden(embedding), embedding, grid)
        for block in design.blocks
    )
    return [(modules.transformer_block, block, ()) for block in blocks]


def _feed_forward(design: Design, embedding: int, grid: Grid) -> list[Part]:
    extras = zip(design.blocks, design.extra_ffns_by_block, strict=True)
    blocks = ((block.hidden(embedding), extra, embedding, grid) for block, extra in extras)
    return [(modules.ffn_block, block, ()) for block in blocks]


EXTRACTORS: Mapping[Extractor, Callable[[Design, int, Grid], list[Part]]] = MappingProxyType(
    {
        Extractor.TRANSFORMER: _transformer,
        Extractor.FFN: _feed_forward,
        Extractor.PPM: lambda _design, embedding, grid: [(modules.ppm, (embedding, grid), ())],
        Extractor.ASPP: lambda _design, embedding, grid: [(modules.aspp, (embedding, grid), ())],
        Extractor.NONE: lambda _design, _embedding, _grid: [],
    }
)
"""The parts of the extractor of a design on so many channels of the pooled grid."""


def _injection(plan: Layout, design: Design, tokens: list[Tokens], pooled: Grid) -> None:
    """Adds the injection of every scale, finest first."""
    kind, width, embedding = design.injection, design.width, design.embedding
    # Maps that still wait, and maps that are done and wait for the head.
    alive = sum(_size(*token) for token in tokens)
    for index, (channels, grid) in enumerate(tokens, start=1):
        # The semantics, input 1, are read again by every scale but the last.
        read_later = (1,) if index < len(tokens) else ()
        alive -= _size(channels, grid)
        plan.parts.append((modules.scale, (kind, width, channels, grid, embedding, pooled), read_later))
        plan.held.append(alive)
        alive += _size(width, grid)

"""The axes of the named search spaces, around any base design."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from search_space.axes.axis import Axis
from search_space.axes.blocks import BLOCK_FIELDS, block_axis, depth_axis, heads_axis, values_of
from search_space.axes.network import (
    extra_ffns_axis,
    extractor_axis,
    head_axis,
    injected_axis,
    injection_axis,
    input_axis,
    pool_stride_axis,
    pooled_axis,
    width_axis,
)
from search_space.axes.pyramid import (
    LEAD,
    STAGES,
    patterned,
    row_axis,
    row_count_axis,
    rows_of,
    shortest,
    stem_axis,
)
from search_space.candidate import Candidate
from topformer.design import Design
from topformer.presets import BASE, SMALL, TINY

PAPER_POOL_STRIDES = (32, 64, 128)
"""Table 8."""
PAPER_WIDTHS = tuple(range(64, 321, 32))
"""Table 7 compares 128, 192 and 256."""
PAPER_DEPTHS = tuple(range(1, 9))
"""The published designs have 4 blocks."""
PAPER_HEADS = tuple(range(2, 13, 2))
"""The published designs have 4, 6 and 8 heads."""
INPUT_SIDES = (128, 192, 256, 320, 384, 448, 512)
"""Pixels; 448 and 512 are published."""

SEARCHED_STEMS = (16, 24)
SEARCHED_ROWS: Mapping[int, Iterable[int]] = MappingProxyType(
    {LEAD: (1, 2), 1: (1, 2, 3), 2: (1, 2, 3), 3: (1, 2, 3), 4: (1, 2, 3, 4)}
)
SEARCHED_CHANNELS: Mapping[int, Iterable[int]] = MappingProxyType(
    {LEAD: (16, 24), 1: range(16, 41, 8), 2: range(24, 73, 8), 3: range(56, 137, 8), 4: range(88, 177, 8)}
)
SEARCHED_KERNELS = (3, 5)
SEARCHED_EXPANSIONS: Mapping[int, Iterable[int]] = MappingProxyType(
    {1: (3, 4, 5), 2: (2, 3, 4, 5), 3: (2, 3, 4, 5), 4: (4, 5, 6, 7)}
)
SEARCHED_DEPTHS = range(4, 9)
SEARCHED_BLOCKS: Mapping[str, Sequence[float]] = MappingProxyType(
    {
        "heads": (4, 6, 8, 10, 12),
        "key_dim": (12, 14, 16, 18, 20),
        "attention_ratio": (1.6, 1.8, 2.0, 2.2, 2.4),
        "ffn_ratio": (1.6, 1.8, 2.0, 2.2, 2.4),
    }
)
SEARCHED_WIDTHS = (128, 192, 256)


def paper(base: Candidate) -> tuple[Axis, ...]:
    """What the paper ablates without changing the pyramid or the kinds of the modules (Tables 2, 3, 6, 7 and 8).

    The paper compares a few values of each; the ranges between and around them are our choice.
    """
    design = base.design
    heads = shortest(block.heads for block in design.blocks) if design.blocks else (PAPER_HEADS[0],)
    return (
        pooled_axis(),
        injected_axis(),
        width_axis({*PAPER_WIDTHS, design.width}),
        depth_axis(_depths(PAPER_DEPTHS, design)),
        heads_axis(patterned(PAPER_HEADS, [heads])),
        pool_stride_axis(_pool_strides([base], design)),
        head_axis(),
    )


def published_search(base: Candidate) -> tuple[Axis, ...]:
    """The union of the three supernet spaces of Efficient-TopFormer (Tiny, Small and Base).

    From the source (github.com/Sanxianxiajiao/try, commit ece9110, seg/1_mmsegmentation/configs/
    nas_dynamic_topformer): the stem; rows, channels, kernel and expansion of each stage, one kernel and one expansion
    per stage; four transformer stages of one or two equal blocks, each with its heads, key dim and ratios. Ours:
    every block has its own values, which holds all of these designs and writes none of them twice; the first
    transformer stage of the Tiny space, which also offers 2 heads, has the choices of the others; M, fixed in each of
    the three, is an axis; and a stage may have the kernels and expansions of the released Tiny, Small and Base and of
    the base design, which differ within a stage (`4-3` is 4 in its first row, then 3).
    """
    return (
        *_pyramid_axes(base.design),
        depth_axis(_depths(SEARCHED_DEPTHS, base.design)),
        *_block_axes(base.design, max(_depths(SEARCHED_DEPTHS, base.design)), SEARCHED_BLOCKS),
        width_axis({*SEARCHED_WIDTHS, base.design.width}),
    )


def full(base: Candidate) -> tuple[Axis, ...]:
    """Both spaces together, with the kind of extractor (Table 4) and of injection (Table 5), and the input size."""
    design = base.design
    sizes = {(base.height, base.width), *((side, side) for side in INPUT_SIDES)}
    depths = _depths(PAPER_DEPTHS, design)
    inputs = [Candidate(design=design, height=height, width=width) for height, width in sizes]
    return (
        input_axis(sizes),
        pool_stride_axis(_pool_strides(inputs, design)),
        *_pyramid_axes(design),
        pooled_axis(),
        extractor_axis(),
        depth_axis(depths),
        *_block_axes(design, max(depths), {**SEARCHED_BLOCKS, "heads": PAPER_HEADS}),
        extra_ffns_axis({0, 1, 2, design.extra_ffns}),
        injected_axis(),
        injection_axis(),
        width_axis({*PAPER_WIDTHS, design.width}),
        head_axis(),
    )


def _depths(offered: Iterable[int], design: Design) -> set[int]:
    return {*offered, design.depth} - {0}


def _pool_strides(inputs: Iterable[Candidate], design: Design) -> set[int]:
    """The strides that leave more than one token, or the first one that does not, at every input size."""
    least = min(max(candidate.height, candidate.width) for candidate in inputs)
    return {stride for stride in PAPER_POOL_STRIDES if stride < 2 * least} | {design.pool_stride}


def _pyramid_axes(design: Design) -> tuple[Axis, ...]:
    stages = [stage for stage in (LEAD, *STAGES) if rows_of(design, stage)]
    return (
        stem_axis({*SEARCHED_STEMS, design.stem.channels}),
        *(axis for stage in stages for axis in _stage_axes(design, stage)),
    )


def _stage_axes(design: Design, stage: int) -> Iterable[Axis]:
    yield row_count_axis(stage, {*SEARCHED_ROWS[stage], len(rows_of(design, stage))})
    offered = {"channels": SEARCHED_CHANNELS[stage], "kernel": SEARCHED_KERNELS}
    if stage != LEAD:
        offered["expand"] = SEARCHED_EXPANSIONS[stage]
    for field, values in offered.items():
        patterns = [
            shortest(getattr(row, field) for row in rows_of(published, stage))
            for published in (TINY, SMALL, BASE, design)
        ]
        yield row_axis(stage, field, patterned(values, patterns))


def _block_axes(design: Design, depth: int, offered: Mapping[str, Iterable[float]]) -> tuple[Axis, ...]:
    """First every ratio of a feed-forward network: it alone depends on the pyramid's channels."""
    fields = sorted(BLOCK_FIELDS, key=lambda field: field != "ffn_ratio")
    orders = ([fields[0]], fields[1:])
    return tuple(
        block_axis(number, field, {*offered[field], *values_of(design.blocks, field)})
        for order in orders
        for number in range(1, depth + 1)
        for field in order
    )


CATALOGUE: Mapping[str, Callable[[Candidate], tuple[Axis, ...]]] = MappingProxyType(
    {"paper": paper, "published-search": published_search, "full": full}
)
"""The named spaces."""

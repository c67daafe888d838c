"""Axes of the extractor's blocks: how many, the heads of all of them, and every field of a single one."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import fields, replace
from functools import lru_cache, partial
from typing import Any

from search_space.axes.axis import Axis, Invalidates, edit, labelled
from search_space.axes.pyramid import Pattern, at
from search_space.candidate import Candidate
from topformer.design import Block, Extractor


def depth_axis(depths: Iterable[int]) -> Axis:
    """Number L of blocks; a deeper extractor repeats its last block."""
    return Axis(
        name="depth",
        choices=labelled(depths),
        apply=_with_depth,
        invalidates=Invalidates.PARTIAL,
        applies=_has_blocks,
        reads=_shape,
    )


def _with_depth(candidate: Candidate, depth: int) -> Candidate:
    blocks = candidate.design.blocks
    return edit(candidate, blocks=blocks[:depth] + blocks[-1:] * (depth - len(blocks)))


def heads_axis(choices: Mapping[str, Pattern]) -> Axis:
    """Attention heads, one number for all blocks or a pattern over them."""
    return Axis(
        name="heads",
        choices=choices,
        apply=_with_heads,
        invalidates=Invalidates.PARTIAL,
        applies=_attends,
        reads=_shape,
    )


def _with_heads(candidate: Candidate, pattern: Pattern) -> Candidate:
    blocks = candidate.design.blocks
    return edit(candidate, blocks=tuple(_with(block, "heads", at(pattern, i)) for i, block in enumerate(blocks)))


def block_axis(number: int, field: str, values: Iterable[float]) -> Axis:
    """A field of one block, the first being number 1; asked only where that block exists and uses the field."""
    applies = _has_blocks if field == "ffn_ratio" else _attends
    return Axis(
        name=f"block{number}_{field}",
        choices=labelled(values),
        apply=partial(_with_block, number - 1, field),
        invalidates=Invalidates.PARTIAL,
        applies=lambda candidate: candidate.design.depth >= number and applies(candidate),
        reads=_facts(number - 1, field),
    )


def _with_block(index: int, field: str, candidate: Candidate, value: Any) -> Candidate:
    blocks = candidate.design.blocks
    return edit(candidate, blocks=(*blocks[:index], _with(blocks[index], field, value), *blocks[index + 1 :]))


@lru_cache(maxsize=2**16)
def _with(block: Block, field: str, value: Any) -> Block:
    """The block with that field replaced; remembered, for very many designs share few different blocks."""
    return replace(block, **{field: value})


def _has_blocks(candidate: Candidate) -> bool:
    return candidate.design.has_blocks


def _attends(candidate: Candidate) -> bool:
    return candidate.design.extractor is Extractor.TRANSFORMER


def _shape(candidate: Candidate) -> Hashable:
    """The facts that say which axes of blocks apply: shared by them, so that a diagram asks once for all."""
    return _has_blocks(candidate), _attends(candidate), candidate.design.depth


def _facts(index: int, field: str) -> Callable[[Candidate], Hashable]:
    """What an axis of that field reads: whether the field is used, and which of its values are the same network."""
    if field == "ffn_ratio":
        return _hidden_widths
    if field == "attention_ratio":
        return partial(_value_widths, index)
    return _shape


def _hidden_widths(candidate: Candidate) -> Hashable:
    """Ratios are equal where they give one width of int(embedding * ratio)."""
    return _shape(candidate), candidate.design.embedding


def _value_widths(index: int, candidate: Candidate) -> Hashable:
    """Ratios are equal where they give one width of int(ratio * key_dim)."""
    blocks = candidate.design.blocks
    return _shape(candidate), blocks[index].key_dim if index < len(blocks) else None


BLOCK_FIELDS = tuple(item.name for item in fields(Block))
"""The fields of a block."""


def values_of(blocks: Iterable[Block], field: str) -> set[float]:
    """The values of a field that occur in some blocks."""
    return {getattr(block, field) for block in blocks}

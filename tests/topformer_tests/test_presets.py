"""Facts about the presets, against the paper's tables."""

import pytest

from topformer.design import Bottleneck, Design, Head
from topformer.errors import DesignError
from topformer.presets import BASE, NANO, PRESETS, SMALL, TINY, dense_head, preset


@pytest.mark.parametrize(
    ("design", "heads", "width"), [(TINY, 4, 128), (SMALL, 6, 192), (BASE, 8, 256)], ids=["tiny", "small", "base"]
)
def test_heads_blocks_and_width_are_those_of_the_paper(design: Design, heads: int, width: int) -> None:
    assert [(b.heads, b.key_dim, b.value_dim) for b in design.blocks] == [(heads, 16, 32)] * 4
    assert design.width == width


def test_tiny_ends_in_the_last_row_of_the_published_table() -> None:
    assert TINY.rows[-1] == Bottleneck(kernel=5, expand=6, channels=96, stride=1)


@pytest.mark.parametrize("design", [SMALL, BASE], ids=["small", "base"])
def test_the_larger_pyramids_have_a_third_row_at_the_coarsest_scale(design: Design) -> None:
    assert [(row.kernel, row.stride) for row in design.rows[7:]] == [(5, 2), (5, 1), (3, 1)]


def test_only_the_released_tiny_fuses_depthwise() -> None:
    assert {name for name, design in PRESETS.items() if design.head is Head.SUM_DEPTHWISE} == {"tiny"}


def test_dense_head_changes_the_head_alone() -> None:
    assert dense_head(dense_head(TINY)) == preset("tiny-dense")
    assert preset("tiny-dense").rows == TINY.rows


def test_a_preset_is_found_in_any_case() -> None:
    assert preset("Base") is BASE


def test_an_unknown_preset_is_answered_with_the_nearest() -> None:
    with pytest.raises(DesignError, match="did you mean 'small'"):
        preset("smal")


@pytest.mark.parametrize(("design", "pixels"), [(TINY, 307), (NANO, 63)], ids=["tiny", "nano"])
def test_the_receptive_field_of_the_last_tap(design: Design, pixels: int) -> None:
    field, step = 1, 1
    for kernel, stride in [(design.stem.kernel, 2), *((row.kernel, row.stride) for row in design.rows)]:
        field, step = field + (kernel - 1) * step, step * stride
    assert field == pixels

"""Facts about designs: what is refused, and what follows from the fields."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from topformer.design import Block, Bottleneck, Design, Extractor, Stem
from topformer.errors import DesignError
from topformer.presets import BASE, NANO, SMALL, TINY


@pytest.mark.parametrize(("design", "embedding"), [(TINY, 208), (SMALL, 296), (BASE, 384)])
def test_the_embedding_is_the_sum_over_the_scales(design: Design, embedding: int) -> None:
    assert sum(design.tap_channels) == design.embedding == embedding


def test_tap_channels_are_listed_from_the_finest_scale() -> None:
    assert TINY.tap_channels == (16, 32, 64, 96)


@pytest.mark.parametrize(
    ("kind", "depth"),
    [
        (Extractor.TRANSFORMER, 4),
        (Extractor.FFN, 4),
        (Extractor.PPM, 0),
        (Extractor.ASPP, 0),
        (Extractor.NONE, 0),
    ],
)
def test_depth_counts_the_blocks_that_are_built(kind: Extractor, depth: int) -> None:
    assert replace(TINY, extractor=kind).depth == depth


def test_a_value_is_int_of_ratio_times_key() -> None:
    assert Block(key_dim=16, attention_ratio=1.6).value_dim == 25  # int(25.6)


def test_hidden_channels_are_int_of_embedding_times_ratio() -> None:
    assert Block(ffn_ratio=1.3).hidden(208) == 270  # int(270.4)


def test_a_design_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        TINY.width = 64  # type: ignore[misc]


def test_equal_designs_are_one_member_of_a_set() -> None:
    assert len({TINY, replace(TINY, width=64), replace(TINY, width=128)}) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0),
        ("width", True),
        ("width", 12.0),
        ("num_classes", -3),
        ("extra_ffns", -1),
        ("extra_ffns", 0.25),
        ("extra_ffns", True),
        ("extra_ffns", "1"),
        ("extra_ffns", 1025),
        ("pool_stride", 48),
        ("pool_stride", 16),
        ("injected", ()),
        ("injected", (16, 8)),
        ("injected", (8, 64)),
        ("taps", (0, 1, 2)),
        ("taps", (0, 2, 1, 3)),
        ("taps", (-1, 1, 2, 3)),
        ("blocks", ()),
        ("pooled", "all"),
        ("extractor", "attention"),
        ("injection", None),
        ("head", "linear"),
    ],
)
def test_a_bad_field_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(DesignError, match=field):
        replace(NANO, **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("kernel", 4), ("kernel", 0), ("expand", 0), ("channels", 2.5), ("stride", 3), ("stride", True)],
)
def test_a_bad_row_is_refused_by_field_and_value(field: str, value: Any) -> None:
    row = Bottleneck(kernel=3, expand=2, channels=8, stride=1)
    with pytest.raises(DesignError, match=rf"row\.{field} .*{value!r}"):
        replace(row, **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("heads", 0),
        ("key_dim", "16"),
        ("attention_ratio", float("nan")),
        ("attention_ratio", 0.01),
        ("ffn_ratio", -2.0),
        ("ffn_ratio", float("inf")),
    ],
)
def test_a_bad_block_is_refused_by_field(field: str, value: Any) -> None:
    with pytest.raises(DesignError, match=rf"block\.{field}"):
        replace(Block(), **{field: value})


def test_a_ratio_that_leaves_no_hidden_channel_is_refused() -> None:
    with pytest.raises(DesignError, match=r"block\.ffn_ratio"):
        replace(NANO, blocks=(Block(ffn_ratio=0.001),))


def test_blocks_that_no_extractor_uses_are_not_checked() -> None:
    assert replace(NANO, extractor=Extractor.NONE, blocks=()).depth == 0


def test_an_even_stem_kernel_is_refused() -> None:
    with pytest.raises(DesignError, match=r"stem\.kernel must be odd, got 2"):
        Stem(channels=16, kernel=2)


def test_rows_that_do_not_reach_the_four_scales_are_refused() -> None:
    rows = (*NANO.rows[:3], replace(NANO.rows[3], stride=1))
    with pytest.raises(DesignError, match=r"\(4, 8, 16, 32\).*\(4, 8, 16, 16\)"):
        replace(NANO, rows=rows)


def test_taps_must_end_at_the_last_row() -> None:
    tail = Bottleneck(kernel=3, expand=1, channels=96, stride=1)
    with pytest.raises(DesignError, match="number 4"):
        replace(NANO, rows=(*NANO.rows, tail))


@pytest.mark.parametrize(
    ("extra", "depth", "expected"),
    [(1, 2, (1, 1)), (0.5, 4, (0, 1, 0, 1)), (1.5, 3, (1, 2, 1)), (0.5, 1, (0,)), (0, 2, (0, 0))],
)
def test_half_an_extra_feed_forward_network_is_one_in_two_blocks(
    extra: float, depth: int, expected: tuple[int, ...]
) -> None:
    design = replace(TINY, extractor=Extractor.FFN, extra_ffns=extra, blocks=TINY.blocks[:1] * depth)
    assert design.extra_ffns_by_block == expected


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("rows", list(NANO.rows), r"rows must be a tuple of Bottleneck, got \["),
        ("rows", None, "rows must be a tuple of Bottleneck, got None"),
        ("rows", (1, 2), r"rows must be a tuple of Bottleneck, got \(1, 2\)"),
        ("taps", [0, 1, 2, 3], r"taps must be a tuple of int, got \["),
        ("taps", (False, 1, 2, 3), r"taps must be a tuple of int, got \(False"),
        ("blocks", "ab", "blocks must be a tuple of Block, got 'ab'"),
        ("injected", {8, 16}, "injected must be a tuple of int, got {8, 16}"),
        ("stem", {"channels": 16}, "stem must be a Stem, got {'channels': 16}"),
        ("stem", None, "stem must be a Stem, got None"),
        ("head", "sum", "head must be Head.SUM, got the text 'sum'"),
        ("head", "summ", "unknown head 'summ'; did you mean 'sum'"),
    ],
)
def test_a_part_of_another_type_is_refused_where_it_is_given(name: str, value: object, said: str) -> None:
    with pytest.raises(DesignError, match=said):
        replace(NANO, **{name: value})  # type: ignore[arg-type]

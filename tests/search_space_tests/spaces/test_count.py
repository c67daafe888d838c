"""Counting without listing gives what listing gives, and what arithmetic gives."""

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.axes.axis import Axis
from search_space.axes.blocks import block_axis, depth_axis, heads_axis
from search_space.axes.network import extractor_axis, head_axis, injected_axis, pool_stride_axis, width_axis
from search_space.axes.pyramid import patterned, row_axis, row_count_axis
from search_space.candidate import Candidate
from search_space.spaces.space import Space, space, spaces
from search_space.spaces.validity import POOLED_GRID, Rule
from tests.search_space_tests.spaces.conformance import networks_by_hand
from topformer.presets import TINY

START = Candidate(design=TINY, height=512, width=512)


def of(*axes: Axis, rules: tuple[Rule, ...] = (), base: Candidate = START) -> Space:
    return Space(name="small", base=base, axes=axes, rules=rules)


@pytest.mark.parametrize(("base", "side"), [("tiny", 512), ("base", 512), ("nano", 128)])
def test_the_paper_space_by_arithmetic(base: str, side: int) -> None:
    # 15 sets of scales with three heads, but for the four single scales with two (a concatenation of one is a sum).
    heads_of_scales = 11 * 3 + 4 * 2
    pooled, widths, depths, heads, strides = 2, 9, 8, 6, 3
    expected = pooled * heads_of_scales * widths * depths * heads * strides
    assert expected == 106_272
    assert space("paper", base=base, height=side, width=side).count() == expected


def test_the_published_space_by_arithmetic() -> None:
    # Rows with channels and, per row count, the kernels and expansions that differ: a pattern of two values is the
    # uniform one in a stage of one row, and BASE's kernels 5-5-3 are 5 in a stage of one or two.
    stem, lead = 2, 2 * 2 * 2
    stage1 = 4 * 2 * (3 + 4 + 4)
    stage2 = 7 * 2 * 4 * 3
    stage3 = 11 * 2 * 4 * 3
    stage4 = 12 * 4 * (2 + 2 + 3 + 3)
    blocks = sum((5**4) ** depth for depth in range(4, 9))
    widths = 3
    expected = stem * lead * stage1 * stage2 * stage3 * stage4 * blocks * widths
    assert space("published-search").count() == expected


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        # int(2 * ratio) is 3, 3, 4, 4; int(4 * ratio) is 6, 7, 8, 9; int(16 * ratio) is 25, 28, 32, 38.
        ([block_axis(1, "key_dim", (2, 4, 16)), block_axis(1, "attention_ratio", (1.6, 1.8, 2.0, 2.4))], 2 + 4 + 4),
        # Embedding 208: int(416.208) is 416 too. Embedding 1112: 2224 and int(2225.1).
        ([row_axis(4, "channels", patterned((96, 1000), [])), block_axis(4, "ffn_ratio", (2.0, 2.001))], 1 + 2),
        # One scale has no concatenation of its own.
        ([injected_axis().restricted(["16+32", "32"]), head_axis()], 3 + 2),
        # One row cannot tell 5 from 5-3.
        ([row_count_axis(4, (1, 2)), row_axis(4, "kernel", patterned((5,), [(5, 3)]))], 1 + 2),
        # One block cannot tell 4 from 4-8.
        ([depth_axis((1, 2)), heads_axis(patterned((4,), [(4, 8)]))], 1 + 2),
        # The kind ffn has no heads; ppm has no blocks at all.
        (
            [
                extractor_axis().restricted(["transformer", "ffn", "ppm"]),
                depth_axis((1, 2)),
                heads_axis(patterned((4, 8), [])),
            ],
            2 * 2 + 2 + 1,
        ),
        # A block that is not there has no heads.
        ([depth_axis((1, 2, 3)), *(block_axis(number, "heads", (2, 4)) for number in (1, 2, 3))], 2 + 4 + 8),
        # A pyramid's channels and a block's ratio that round to the same width only at one of three embeddings.
        (
            [row_axis(1, "channels", patterned((8, 16, 900), [])), block_axis(1, "ffn_ratio", (2.0, 2.001, 2.5))],
            2 + 2 + 3,
        ),
    ],
)
def test_labels_of_one_network_count_once(axes: list[Axis], expected: int) -> None:
    s = of(*axes)
    assert s.count() == expected
    assert len(networks_by_hand(s)) == expected
    assert len({candidate.fingerprint for candidate in s}) == len(list(s)) == expected


def _narrowed(name: str, base: str, wide: dict[str, int]) -> Space:
    """A named space with one label per axis, but for some axes with a few."""
    whole = space(name, base=base, height=256, width=256)
    remaining = {
        axis.name: axis.labels[:: max(1, len(axis.labels) // wide.get(axis.name, 1))][: wide.get(axis.name, 1)]
        for axis in whole.axes
    }
    return whole.restricted(remaining)


@pytest.mark.parametrize("name", spaces())
@given(data=st.data())
@settings(max_examples=12)
def test_count_is_the_number_of_fingerprints(name: str, data: st.DataObject) -> None:
    base = data.draw(st.sampled_from(["tiny", "base", "nano"]))
    names = [axis.name for axis in space(name, base=base, height=256, width=256).axes]
    chosen = data.draw(st.lists(st.sampled_from(names), max_size=4, unique=True))
    s = _narrowed(name, base, {axis: data.draw(st.integers(2, 3)) for axis in chosen})
    assert prod(len(axis.labels) for axis in s.axes) <= 3**4
    fingerprints = [candidate.fingerprint for candidate in s]
    assert len(fingerprints) == len(set(fingerprints)) == s.count()
    assert set(fingerprints) == networks_by_hand(s)


def test_count_of_the_conditional_core_of_the_full_space() -> None:
    wide = {"extractor": 5, "depth": 3, "block1_heads": 2, "block3_heads": 2, "block5_ffn_ratio": 2, "extra_ffns": 3}
    s = _narrowed("full", "tiny", wide | {"injected": 3, "head": 3})
    fingerprints = [candidate.fingerprint for candidate in s]
    assert len(fingerprints) == len(set(fingerprints)) == s.count()
    assert set(fingerprints) == networks_by_hand(s)


def test_all_designs_of_the_paper_space_at_three_widths_are_listed_once() -> None:
    s = space("paper", only={"width": ["128", "192", "256"], "pooled": "all"})
    assert len(set(s)) == sum(1 for _ in s) == s.count() == 41 * 3 * 8 * 6 * 3


def test_a_rule_is_counted_and_listed() -> None:
    small = Candidate(design=TINY, height=64, width=64)
    s = of(pool_stride_axis((32, 64, 128, 256)), width_axis((64, 128)), rules=(POOLED_GRID,), base=small)
    # 64 px leave 2 x 2 cells: s32 has four tokens, s64 one, and s128 and s256 the same one.
    assert s.count() == 2 * 2
    assert {candidate.design.pool_stride for candidate in s} == {32, 64}


def test_a_rule_that_reads_everything_is_counted_too() -> None:
    rule = Rule(name="embedding", reason=lambda c: None if c.design.embedding <= 208 else "too wide")
    channels = row_axis(1, "channels", patterned((8, 16, 24), [])), row_axis(2, "channels", patterned((24, 32), []))
    s = of(*channels, width_axis((64, 128)), rules=(rule,))
    # 160 + c1 + c2 <= 208 for all but 24 + 32.
    assert s.count() == len(list(s)) == (3 * 2 - 1) * 2


def test_a_huge_space_is_counted_exactly_and_begun_at_once() -> None:
    s = space("full")
    assert s.count() > 10**35
    first = next(iter(s))
    assert first == first.canonical()

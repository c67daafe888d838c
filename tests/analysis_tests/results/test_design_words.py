"""Designs in words."""

from dataclasses import replace

from analysis.results.design_words import differences, in_words, properties, rows_by_scale
from topformer.design import Block, Extractor, Head
from topformer.presets import BASE, NANO


def test_a_design_is_a_sentence() -> None:
    assert in_words(BASE) == (
        "10 rows to 32-64-128-160 channels; pooled at 1/64, 4 blocks of 8 heads; "
        "1/8, 1/16, 1/32 injected into 256 channels, dense head"
    )


def test_blocks_that_differ_are_told_apart() -> None:
    mixed = replace(BASE, blocks=(Block(heads=8), Block(heads=8), Block(heads=4, key_dim=20)))
    assert properties(mixed)["extractor"] == (
        "3 transformer blocks: 2 with 8 heads, keys 16, values 32, hidden x2, "
        "then 1 with 4 heads, keys 20, values 40, hidden x2"
    )
    assert "of 4/8 heads" in in_words(mixed)
    assert "no extractor" in in_words(replace(BASE, extractor=Extractor.NONE))


def test_the_rows_of_all_scales_are_all_rows() -> None:
    assert [len(rows) for rows in rows_by_scale(BASE)] == [3, 2, 2, 3]
    assert tuple(row for rows in rows_by_scale(BASE) for row in rows) == BASE.rows


def test_only_what_differs_is_a_difference() -> None:
    found = differences(NANO, replace(NANO, width=96, head=Head.CONCAT))
    assert [(each.name, each.first, each.second) for each in found] == [
        ("width M", "128", "96"),
        ("head", "scales added, dense fuse convolution", "scales joined, each reduced first"),
    ]
    assert differences(NANO, NANO) == []

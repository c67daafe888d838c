"""Round trips, canonical form and fingerprint of designs."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from tests.topformer_tests.strategies import designs
from topformer.codec import canonical, fingerprint, from_json, to_json
from topformer.design import Block, Design, Extractor, Head, Injection
from topformer.errors import DesignError
from topformer.presets import NANO, PRESETS, TINY

FEW = settings(max_examples=60)


@given(designs())
@FEW
def test_json_text_gives_the_design_back(design: Design) -> None:
    assert from_json(json.loads(json.dumps(to_json(design)))) == design


@given(designs())
@FEW
def test_the_canonical_form_is_its_own_canonical_form(design: Design) -> None:
    assert canonical(canonical(design)) == canonical(design)


@given(designs())
@FEW
def test_the_canonical_form_keeps_every_width(design: Design) -> None:
    other = canonical(design)
    assert other.embedding == design.embedding
    assert [b.hidden(other.embedding) for b in other.blocks] == [
        b.hidden(design.embedding) for b in design.blocks if design.has_blocks
    ]


@pytest.mark.parametrize("design", PRESETS.values(), ids=PRESETS)
def test_presets_are_canonical(design: Design) -> None:
    assert canonical(design) == design


def test_blocks_without_a_use_do_not_change_the_fingerprint() -> None:
    ppm = replace(NANO, extractor=Extractor.PPM)
    assert fingerprint(ppm) == fingerprint(replace(ppm, blocks=(Block(heads=7),), extra_ffns=3))


def test_heads_do_not_change_the_fingerprint_of_an_extractor_without_attention() -> None:
    ffn = replace(NANO, extractor=Extractor.FFN)
    assert fingerprint(ffn) == fingerprint(replace(ffn, blocks=(Block(heads=9, key_dim=3, attention_ratio=1.0),) * 2))


def test_ratios_that_round_to_the_same_width_are_one_network() -> None:
    one, other = (replace(NANO, blocks=(Block(attention_ratio=r),)) for r in (1.6, 25 / 16))
    assert fingerprint(one) == fingerprint(other)


def test_a_concatenation_of_one_scale_is_a_sum_of_one_scale() -> None:
    one = replace(NANO, injected=(8,), head=Head.CONCAT)
    assert fingerprint(one) == fingerprint(replace(one, head=Head.SUM))


def test_fingerprints_tell_networks_apart() -> None:
    others = [
        replace(TINY, width=64),
        replace(TINY, num_classes=59),
        replace(TINY, pool_stride=32),
        replace(TINY, injected=(16, 32)),
        replace(TINY, blocks=TINY.blocks[:3]),
    ]
    assert len({fingerprint(design) for design in [TINY, *others]}) == 6


def test_absent_keys_take_their_defaults() -> None:
    data = to_json(TINY)
    assert from_json({"rows": data["rows"], "taps": data["taps"], "head": "sum-depthwise"}) == TINY


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "design.schema must be 1, got 2"),
        ({"widht": 64}, "unknown key of design 'widht'; did you mean 'width'"),
        ({"head": "summ"}, "unknown design.head 'summ'; did you mean 'sum'"),
        ({"rows": 3}, "design.rows must be a list, got 3"),
        ({"taps": [0, 1, 2, "3"]}, "design.taps must hold integers, got '3'"),
        ({"stem": {"kernel": 3}}, "design.stem is incomplete"),
        ({"stem": {"channels": 8, "kernal": 3}}, "unknown key of design.stem 'kernal'; did you mean 'kernel'"),
        ({"blocks": [{"heads": 0}]}, r"design.blocks\[0\]: block.heads must be"),
        ({"width": "128"}, "width must be an integer"),
    ],
)
def test_broken_json_is_refused_by_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DesignError, match=message):
        from_json({**to_json(NANO), **change})


@pytest.mark.parametrize("name", ["rows", "taps"])
def test_a_design_without_pyramid_is_refused(name: str) -> None:
    with pytest.raises(DesignError, match=f"design.{name} is missing"):
        from_json({key: value for key, value in to_json(NANO).items() if key != name})


def test_a_design_must_be_an_object() -> None:
    with pytest.raises(DesignError, match="design must be an object"):
        from_json([1, 2])


def test_extra_feed_forward_networks_that_build_the_same_network_have_one_fingerprint() -> None:
    ffn = replace(NANO, extractor=Extractor.FFN, blocks=(Block(),))
    assert fingerprint(replace(ffn, extra_ffns=0.5)) == fingerprint(replace(ffn, extra_ffns=0))
    assert fingerprint(replace(ffn, extra_ffns=1.0)) == fingerprint(ffn)
    assert fingerprint(replace(ffn, blocks=(Block(),) * 2, extra_ffns=0.5)) not in {
        fingerprint(replace(ffn, blocks=(Block(),) * 2, extra_ffns=extra)) for extra in (0, 1)
    }


@pytest.mark.parametrize(
    ("design", "expected"),
    [
        (replace(NANO, num_classes=11, width=128), "bb358637186e"),
        (replace(NANO, num_classes=11, width=128, extractor=Extractor.NONE), "0aafabff1af0"),
        (replace(NANO, num_classes=11, width=128, extractor=Extractor.FFN), "9045d5e16766"),
    ],
    ids=["plain", "none", "ffn"],
)
def test_networks_that_are_built_as_before_keep_their_fingerprints(design: Design, expected: str) -> None:
    """Fingerprints that stand in records of version 0.1."""
    assert fingerprint(design) == expected


def test_a_concatenating_head_is_told_apart_from_the_one_that_was_fused_after_joining() -> None:
    """That one's fingerprint, in records of version 0.1; the design's JSON is the same and still reads."""
    concat = replace(NANO, num_classes=11, width=128, injection=Injection.SUM, head=Head.CONCAT)
    assert from_json(to_json(concat)) == concat
    assert fingerprint(concat) != "2a95fc4523f4"


@pytest.mark.parametrize("schema", [True, 1.0, "1", None, 2])
def test_the_schema_is_an_integer_and_ours(schema: object) -> None:
    with pytest.raises(DesignError, match=r"design\.schema must be 1, got"):
        from_json({**to_json(NANO), "schema": schema})

"""In what a design differs from the released networks."""

from dataclasses import replace
from math import log2

import pytest

from analysis.results.published.factors import EFFECTS, difference
from topformer.design import Block, Design, Extractor, Head, Injection, Pooled
from topformer.presets import BASE, NANO, SMALL, TINY, dense_head

BLOCK = SMALL.blocks[0]


@pytest.mark.parametrize("design", [TINY, SMALL, BASE, dense_head(TINY), replace(SMALL, num_classes=171)])
def test_a_released_network_differs_in_nothing(design: Design) -> None:
    assert difference(design).changed == ()


def test_size_counts_doublings_of_macs_from_small() -> None:
    # As counted of the release at 512 px: 0.576, 1.168 and 1.820 G.
    assert difference(SMALL).size == 0
    assert difference(TINY).size == pytest.approx(log2(0.576 / 1.168), abs=0.01)
    assert difference(BASE).size == pytest.approx(log2(1.820 / 1.168), abs=0.01)


@pytest.mark.parametrize(
    ("design", "amounts"),
    [
        (replace(SMALL, blocks=(BLOCK,) * 8), {"depth": 1}),
        (replace(SMALL, blocks=(replace(BLOCK, heads=12),) * 4), {"heads": 1}),
        (replace(SMALL, blocks=(replace(BLOCK, heads=3), replace(BLOCK, heads=9)) * 2), {}),
        (replace(SMALL, blocks=(Block(heads=6, key_dim=32, ffn_ratio=1.0),) * 4), {"key dim": 1, "FFN ratio": -1}),
        (replace(SMALL, width=96), {"width": -1}),
        (replace(SMALL, injected=(4, 8, 16, 32)), {"finer scale": 1}),
        (replace(SMALL, injected=(16, 32)), {"coarser scale": 1}),
        (replace(SMALL, injected=(32,)), {"coarser scale": 2}),
        (replace(SMALL, injected=(4, 32)), {"finer scale": 1, "missing scale": 2}),
        (replace(SMALL, pool_stride=128), {"pooling stride": 1}),
        (replace(SMALL, pooled=Pooled.LAST), {"pooled last": 1}),
        (replace(SMALL, head=Head.CONCAT), {"head concat": 1}),
        (replace(SMALL, head=Head.SUM_DEPTHWISE), {"head depthwise": 1}),
        (replace(SMALL, injection=Injection.SUM), {"injection sum": 1}),
        (replace(SMALL, extractor=Extractor.NONE), {"no extractor": 1}),
        (replace(SMALL, extractor=Extractor.FFN), {"no attention": 1}),
        (replace(NANO, blocks=TINY.blocks), {"pyramid": 1}),
    ],
)
def test_a_change_is_counted_under_its_name(design: Design, amounts: dict[str, float]) -> None:
    found = dict(zip(EFFECTS, difference(design).factors, strict=True))
    assert {name: value for name, value in found.items() if value} == pytest.approx(amounts)


def test_the_scales_injected_are_one_choice() -> None:
    assert difference(replace(SMALL, injected=(4, 32), width=96)).changed == ("width", "scales")

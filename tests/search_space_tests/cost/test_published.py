"""Costs of the published designs, as integers and as the paper prints them."""

from dataclasses import replace

import pytest

from search_space.candidate import Candidate
from search_space.cost.closed_form import Cost, cost
from topformer.design import Design, Extractor, Head, Injection
from topformer.presets import BASE, SMALL, TINY, dense_head

TINY_DENSE = dense_head(TINY)


def cost_at(side: int, design: Design) -> Cost:
    return cost(Candidate(design=design, height=side, width=side))


@pytest.mark.parametrize(
    ("design", "parameters"),
    [(TINY, 1_389_654), (TINY_DENSE, 1_405_910), (SMALL, 3_034_662), (BASE, 5_062_646)],
    ids=["tiny", "tiny-dense", "small", "base"],
)
def test_parameters_are_those_of_the_release(design, parameters):
    assert cost_at(512, design).parameters == parameters


@pytest.mark.parametrize(
    ("design", "macs"),
    [(TINY, 576_110_592), (TINY_DENSE, 642_695_168), (SMALL, 1_167_609_856), (BASE, 1_820_188_672)],
    ids=["tiny", "tiny-dense", "small", "base"],
)
def test_macs_are_those_that_fvcore_counts_on_the_release(design, macs):
    assert cost_at(512, design).macs == macs


@pytest.mark.parametrize(
    ("design", "macs"),
    [(TINY, 534_110_208), (SMALL, 1_112_297_472), (BASE, 1_752_203_264)],
    ids=["tiny", "small", "base"],
)
def test_macs_of_convolutions_and_products_are_half_the_flops_of_torch_on_the_release(design, macs):
    assert cost_at(512, design).macs_conv_matmul == macs


@pytest.mark.parametrize(
    ("design", "side", "printed"),
    [
        # Table 1; its Tiny has a dense fuse convolution.
        (TINY_DENSE, 448, "0.5"),
        (TINY_DENSE, 512, "0.6"),
        (SMALL, 512, "1.2"),
        (BASE, 512, "1.8"),
        # Table 9: PASCAL Context with 60 classes.
        (replace(TINY_DENSE, num_classes=60), 480, "0.53"),
        # Table 10: COCO-Stuff with 171 classes.
        (replace(SMALL, num_classes=171), 512, "1.2"),
        (replace(BASE, num_classes=171), 512, "1.8"),
    ],
)
def test_the_convention_of_the_paper_gives_its_figures(design, side, printed):
    digits = len(printed.partition(".")[2])
    assert f"{cost_at(side, design).macs_paper_convention / 1e9:.{digits}f}" == printed


@pytest.mark.parametrize(
    ("design", "side", "gmacs"),
    [
        (SMALL, 512, 1.165),
        (BASE, 512, 1.813),
        (TINY_DENSE, 448, 0.492),
        (replace(TINY_DENSE, num_classes=60), 480, 0.532),
        (replace(SMALL, num_classes=60), 480, 0.978),
        (replace(BASE, num_classes=60), 480, 1.540),
        (replace(SMALL, num_classes=171), 512, 1.181),
        (replace(BASE, num_classes=171), 512, 1.836),
        # Table 3, injected scales.
        (replace(BASE, injected=(4, 8, 16, 32)), 512, 3.246),
        (replace(BASE, injected=(16, 32)), 512, 1.420),
        # Table 7, width.
        (replace(BASE, width=192), 512, 1.625),
        (replace(BASE, width=128), 512, 1.469),
        # Table 8, output stride of the pooled grid.
        (replace(BASE, pool_stride=32), 512, 2.538),
        (replace(BASE, pool_stride=128), 512, 1.632),
        # Table 4, without a semantics extractor.
        (replace(TINY, extractor=Extractor.NONE), 512, 0.510),
    ],
)
def test_the_convention_of_the_paper_recomputes_its_ablations(design, side, gmacs):
    """Figures counted once on a rebuilt release, with a counter that hooks modules."""
    assert round(cost_at(side, design).macs_paper_convention / 1e9, 3) == gmacs


@pytest.mark.parametrize(
    ("design", "millions"),
    [
        (replace(BASE, injected=(4, 8, 16, 32)), 5.089),
        (replace(BASE, injected=(16, 32)), 5.012),
        (replace(BASE, width=192), 4.956),
        (replace(BASE, width=128), 4.857),
        (replace(TINY, extractor=Extractor.NONE), 0.353),
        # Table 6, the sum head: injection by sum alone; the paper prints 4.978.
        (replace(BASE, injection=Injection.SUM), 4.971),
    ],
)
def test_parameters_of_the_ablations(design, millions):
    assert round(cost_at(512, design).parameters / 1e6, 3) == millions


def test_the_dense_fuse_of_tiny_adds_a_full_matrix_for_each_cell():
    more = cost_at(512, TINY_DENSE).macs - cost_at(512, TINY).macs
    assert more == (128 * 128 - 128) * 64 * 64


def test_the_extractor_of_tiny_has_three_quarters_of_the_parameters_and_a_tenth_of_the_work():
    """Figure 3 of the paper shows 74 % and about 10 %."""
    whole = cost_at(512, TINY)
    extractor = whole.by_module["extractor"]
    assert extractor.parameters / whole.parameters == pytest.approx(0.74, abs=0.01)
    assert extractor.macs_conv_matmul / whole.macs_conv_matmul == pytest.approx(0.10, abs=0.03)


def test_the_pool_stride_changes_no_parameter():
    assert len({cost_at(512, replace(BASE, pool_stride=stride)).parameters for stride in (32, 64, 128)}) == 1


def test_a_concat_head_reduces_each_scale_and_classifies_the_concatenation():
    """Table 6 prints 5.044 M; the reduced width is not printed."""
    concat, added = (cost_at(512, replace(BASE, head=head)) for head in (Head.CONCAT, Head.SUM))
    reduced, fused = 3 * (256 * 71 + 2 * 71) + 3 * 71 * 150, 256 * 256 + 2 * 256 + 256 * 150
    assert concat.parameters - added.parameters == reduced - fused
    assert 5.044 <= concat.parameters / 1e6 <= 5.046


def test_pyramid_and_atrous_pooling_on_the_tokens_at_32_compute_more_than_sase():
    """The text on Table 4: "much more computation" than SASE."""
    kinds = (Extractor.PPM, Extractor.ASPP)
    ppm, aspp = (cost_at(512, replace(TINY_DENSE, extractor=kind, pool_stride=32)) for kind in kinds)
    assert (round(ppm.macs / 1e9, 3), round(aspp.macs / 1e9, 3)) == (0.783, 0.674)
    assert aspp.macs > cost_at(512, TINY_DENSE).macs

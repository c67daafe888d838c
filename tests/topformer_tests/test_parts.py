"""The parts of the network against formulas written out with torch's functions, on odd and oblong grids."""

from collections.abc import Callable
from math import ceil, floor, sqrt

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.topformer_tests.golden import filled
from topformer.design import Block, Bottleneck, Head, Injection, Stem
from topformer.errors import InputError
from topformer.extractor import AtrousPyramid, Attention, AttentionBlock, FeedForward, FeedForwardBlock, PyramidPooling
from topformer.heads import ConcatHead, SumHead
from topformer.injection import INJECTIONS, SemanticsInjection
from topformer.layers import ConvUnit, DropPath, check_probability, drop_path_rates, resize
from topformer.network import LastTokenPool, TokenPool
from topformer.pyramid import InvertedResidual, InvertedResidualWithShortcut, TokenPyramid


def random_map(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def conv_norm(
    unit: nn.Module, x: Tensor, *, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1
) -> Tensor:
    """(conv(x) - mean) / sqrt(var + 1e-5) * weight + bias, from the tensors of a unit."""
    state = unit.state_dict()
    y = functional.conv2d(x, state["conv.weight"], None, stride, padding, dilation, groups)
    mean, var, weight, bias = (
        state[f"norm.{name}"][:, None, None] for name in ("running_mean", "running_var", "weight", "bias")
    )
    normal: Tensor = (y - mean) / (var + 1e-5).sqrt() * weight + bias
    return normal


def bilinear(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation with half-pixel centres, one axis after the other."""
    for axis, target in ((2, size[0]), (3, size[1])):
        source = x.shape[axis]
        centres = ((torch.arange(target) + 0.5) * source / target - 0.5).clamp(0, source - 1)
        low = centres.floor().long()
        high = (low + 1).clamp(max=source - 1)
        share = (centres - low).reshape([-1 if a == axis else 1 for a in range(4)])
        x = x.index_select(axis, low) * (1 - share) + x.index_select(axis, high) * share
    return x


def means(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Mean of each cell, from floor(i * H / h) up to ceil((i + 1) * H / h)."""
    (height, width), (rows, columns) = x.shape[2:], size

    def cell(i: int, j: int) -> Tensor:
        top, bottom = floor(i * height / rows), ceil((i + 1) * height / rows)
        left, right = floor(j * width / columns), ceil((j + 1) * width / columns)
        return x[:, :, top:bottom, left:right].mean((2, 3))

    return torch.stack([torch.stack([cell(i, j) for j in range(columns)], 2) for i in range(rows)], 2)


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def hard_sigmoid(x: Tensor) -> Tensor:
    return (x + 3).clamp(0, 6) / 6


INJECTED: dict[Injection, Callable[[nn.Module, Tensor, Tensor, tuple[int, int]], Tensor]] = {
    Injection.GATE_SUM: lambda m, t, s, size: (
        conv_norm(m.get_submodule("local"), t) * bilinear(hard_sigmoid(conv_norm(m.get_submodule("gate"), s)), size)
        + bilinear(conv_norm(m.get_submodule("info"), s), size)
    ),
    Injection.GATE: lambda m, t, s, size: (
        conv_norm(m.get_submodule("local"), t) * bilinear(hard_sigmoid(conv_norm(m.get_submodule("gate"), s)), size)
    ),
    Injection.SUM: lambda m, t, s, size: (
        conv_norm(m.get_submodule("local"), t) + bilinear(conv_norm(m.get_submodule("info"), s), size)
    ),
    Injection.GATE_SUM_CBR: lambda m, t, s, size: (
        conv_norm(m.get_submodule("local"), t).relu()
        * bilinear(hard_sigmoid(functional.conv2d(s, *m.get_submodule("gate.conv").state_dict().values())), size)
        + bilinear(conv_norm(m.get_submodule("info"), s).relu(), size)
    ),
}


@pytest.mark.parametrize("kind", Injection)
@torch.inference_mode()
def test_an_injection_is_its_formula(kind: Injection) -> None:
    module = filled(INJECTIONS[kind](5, 7))
    tokens, semantics = random_map(2, 5, 11, 6), 4 * random_map(2, 5, 3, 2)
    close(module(tokens, semantics), INJECTED[kind](module, tokens, semantics, (11, 6)))


@torch.inference_mode()
def test_each_scale_is_injected_with_its_own_segment_of_the_semantics() -> None:
    module = filled(SemanticsInjection(Injection.GATE_SUM, [2, 3, 4, 5], [1, 3], 6))
    tokens = [random_map(1, c, 9 - i, 7 - i) for i, c in enumerate((2, 3, 4, 5))]
    semantics = random_map(1, 14, 2, 3)
    fine, coarse = module(tokens, semantics)
    close(fine, module.get_submodule("scales.0")(tokens[1], semantics[:, 2:5]))
    close(coarse, module.get_submodule("scales.1")(tokens[3], semantics[:, 9:14]))


@pytest.mark.parametrize(("stride", "size"), [(1, (5, 3)), (2, (3, 2)), (4, (2, 1)), (8, (1, 1))])
def test_all_tokens_are_averaged_on_the_coarsest_grid_divided_and_rounded_up(
    stride: int, size: tuple[int, int]
) -> None:
    tokens = [random_map(2, 3, 37, 23), random_map(2, 2, 19, 12), random_map(2, 4, 5, 3)]
    close(TokenPool(stride)(tokens), torch.cat([means(t, size) for t in tokens], 1))


def test_the_last_token_map_alone_can_be_pooled() -> None:
    tokens = [random_map(1, 3, 37, 23), random_map(1, 4, 5, 3)]
    close(LastTokenPool(2)(tokens), means(tokens[1], (3, 2)))


@torch.inference_mode()
def test_attention_is_softmax_of_unscaled_products_head_by_head() -> None:
    module = filled(Attention(6, heads=2, key_dim=3, value_dim=4))
    x = random_map(2, 6, 3, 5)
    q, k, v = (conv_norm(module.get_submodule(n), x).flatten(2) for n in ("query", "key", "value"))
    heads = []
    for h in range(2):
        weights = torch.einsum("bkn,bkm->bnm", q[:, 3 * h : 3 * h + 3], k[:, 3 * h : 3 * h + 3]).exp()
        weights = weights / weights.sum(2, keepdim=True)
        heads.append(torch.einsum("bnm,bdm->bdn", weights, v[:, 4 * h : 4 * h + 4]))
    attended = torch.cat(heads, 1).reshape(2, 8, 3, 5)
    close(module(x), conv_norm(module.get_submodule("project"), attended.clamp(0, 6)))


@torch.inference_mode()
def test_the_feed_forward_network_has_one_activation_behind_a_depthwise_convolution_with_bias() -> None:
    module = filled(FeedForward(4, 6))
    x = 3 * random_map(1, 4, 5, 3)
    state = module.state_dict()
    hidden = conv_norm(module.get_submodule("expand"), x)
    deep = functional.conv2d(hidden, state["depthwise.weight"], state["depthwise.bias"], padding=1, groups=6)
    close(module(x), conv_norm(module.get_submodule("project"), deep.clamp(0, 6)))


@torch.inference_mode()
def test_a_block_adds_attention_then_the_feed_forward_network() -> None:
    module = filled(AttentionBlock(4, Block(heads=1, key_dim=2), drop=0.1))
    x = random_map(1, 4, 2, 3)
    middle = x + module.get_submodule("attention")(x)
    close(module(x), middle + module.get_submodule("ffn")(middle))


@pytest.mark.parametrize("extra", [0, 1, 3])
@torch.inference_mode()
def test_a_block_without_attention_adds_its_feed_forward_networks_in_turn(extra: int) -> None:
    module = filled(FeedForwardBlock(4, Block(), extra=extra, drop=0.1))
    x = expected = random_map(1, 4, 2, 3)
    for name in [*(f"extra.{j}" for j in range(extra)), "ffn"]:
        expected = expected + module.get_submodule(name)(expected)
    close(module(x), expected)


@pytest.mark.parametrize("size", [(7, 5), (2, 3), (1, 1)])
@torch.inference_mode()
def test_pyramid_pooling_is_that_of_pspnet(size: tuple[int, int]) -> None:
    module = filled(PyramidPooling(8))
    x = random_map(1, 8, *size)
    branches = [
        bilinear(conv_norm(module.get_submodule(f"branches.{i}.reduce"), means(x, (bins, bins))).relu(), size)
        for i, bins in enumerate((1, 2, 3, 6))
    ]
    close(module(x), conv_norm(module.get_submodule("fuse"), torch.cat([x, *branches], 1), padding=1).relu())


@torch.inference_mode()
def test_atrous_pooling_is_that_of_deeplab() -> None:
    module = filled(AtrousPyramid(8))
    x = random_map(1, 8, 9, 20)
    point = conv_norm(module.get_submodule("branches.0"), x).relu()
    atrous = [
        conv_norm(module.get_submodule(f"branches.{i + 1}"), x, padding=rate, dilation=rate).relu()
        for i, rate in enumerate((6, 12, 18))
    ]
    image = conv_norm(module.get_submodule("branches.4.reduce"), x.mean((2, 3), keepdim=True)).relu().expand_as(point)
    close(module(x), conv_norm(module.get_submodule("fuse"), torch.cat([point, *atrous, image], 1)).relu())


@pytest.mark.parametrize("extractor", [PyramidPooling, AtrousPyramid])
def test_branches_keep_one_channel_where_a_quarter_is_none(extractor: type[nn.Module]) -> None:
    assert filled(extractor(3))(random_map(1, 3, 4, 4)).shape == (1, 3, 4, 4)


@torch.inference_mode()
def test_a_row_expands_filters_and_projects() -> None:
    module = filled(InvertedResidual(4, Bottleneck(kernel=5, expand=3, channels=6, stride=2)))
    x = random_map(1, 4, 9, 7)
    wide = conv_norm(module.get_submodule("expand"), x).relu()
    deep = conv_norm(module.get_submodule("depthwise"), wide, stride=2, padding=2, groups=12).relu()
    close(module(x), conv_norm(module.get_submodule("project"), deep))


def test_only_rows_of_stride_1_and_equal_channels_add_their_input() -> None:
    rows = [
        Bottleneck(kernel=3, expand=1, channels=c, stride=s)
        for c, s in [(4, 1), (4, 2), (4, 1), (6, 1), (6, 2), (8, 2), (8, 2)]
    ]
    pyramid = TokenPyramid(Stem(channels=4), rows, (1, 4, 5, 6))
    assert [isinstance(row, InvertedResidualWithShortcut) for row in pyramid.rows] == [
        True,
        False,
        True,
        False,
        False,
        False,
        False,
    ]


@torch.inference_mode()
def test_a_residual_row_adds_its_input() -> None:
    module = filled(InvertedResidualWithShortcut(4, Bottleneck(kernel=3, expand=1, channels=4, stride=1)))
    x = random_map(1, 4, 5, 5)
    deep = conv_norm(module.get_submodule("depthwise"), x, padding=1, groups=4).relu()
    close(module(x), x + conv_norm(module.get_submodule("project"), deep))


@pytest.mark.parametrize("head", [Head.SUM, Head.SUM_DEPTHWISE])
@torch.inference_mode()
def test_a_sum_head_adds_on_the_finest_grid(head: Head) -> None:
    groups = 6 if head is Head.SUM_DEPTHWISE else 1
    module = filled(SumHead(6, 7, dropout=0.1, groups=groups))
    maps = [random_map(1, 6, 9, 7), random_map(1, 6, 5, 4), random_map(1, 6, 3, 2)]
    total = maps[0] + bilinear(maps[1], (9, 7)) + bilinear(maps[2], (9, 7))
    fused = conv_norm(module.get_submodule("fuse"), total, groups=groups).relu()
    close(module(maps), functional.conv2d(fused, *module.get_submodule("classifier").state_dict().values()))


@torch.inference_mode()
def test_a_concatenating_head_reduces_each_map_and_classifies_all() -> None:
    module = filled(ConcatHead(18, 7, dropout=0.1, maps=2))
    maps = [random_map(1, 18, 9, 7), random_map(1, 18, 5, 4)]
    fine, coarse = (conv_norm(module.get_submodule(f"reduce.{i}"), x).relu() for i, x in enumerate(maps))
    assert fine.shape[1] == coarse.shape[1] == 5
    stacked = torch.cat([fine, bilinear(coarse, (9, 7))], 1)
    close(module(maps), functional.conv2d(stacked, *module.get_submodule("classifier").state_dict().values()))


def test_a_map_that_has_the_size_already_is_not_copied() -> None:
    x = random_map(1, 2, 3, 5)
    assert resize(x, (3, 5)) is x


def test_convolutions_start_with_the_variance_of_the_release() -> None:
    torch.manual_seed(0)
    unit = ConvUnit(64, 128, 3, groups=2)
    assert unit.conv.weight.detach().std().item() == pytest.approx(sqrt(2 / (3 * 3 * 128 / 2)), rel=0.02)


def test_stochastic_depth_grows_linearly_over_the_blocks() -> None:
    assert list(drop_path_rates(0.3, 4)) == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_single_block_is_never_dropped() -> None:
    assert list(drop_path_rates(0.3, 1)) == [0]


def test_dropped_samples_are_zero_and_survivors_keep_the_mean() -> None:
    torch.manual_seed(0)
    branch = DropPath(0.25).train()(torch.ones(4000, 2, 1, 1))
    assert sorted(set(branch.flatten().tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(branch[:, 0], branch[:, 1])
    assert float(branch.mean()) == pytest.approx(1, abs=0.04)


def test_nothing_is_dropped_in_evaluation() -> None:
    x = random_map(3, 2, 1, 1)
    assert DropPath(0.9).eval()(x) is x


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_probability_outside_its_range_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=rf"drop_path must be at least 0 and below 1, got {value}"):
        check_probability("drop_path", value)

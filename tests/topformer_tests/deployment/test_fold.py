"""Folding of BatchNorm: the same function, fewer parts, and a check that can fail."""

from dataclasses import replace
from math import nan

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from tests.topformer_tests.golden import filled
from tests.topformer_tests.strategies import designs
from topformer.deployment.fold import fold_batch_norm
from topformer.design import Design
from topformer.errors import ExplorerError, InputError
from topformer.layers import ConvUnit
from topformer.network import TopFormer
from topformer.presets import NANO, SMALL


def norms(model: nn.Module) -> list[str]:
    return [name for name, part in model.named_modules() if isinstance(part, nn.BatchNorm2d)]


def image(height: int, width: int) -> Tensor:
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))


@given(design=designs())
@settings(max_examples=30)
@torch.inference_mode()
def test_a_folded_network_of_any_kind_is_the_same_function(design: Design) -> None:
    model = filled(TopFormer(design)).double()
    expected, actual = model(image(75, 97).double()), fold_batch_norm(model)(image(75, 97).double())
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-8 * float(expected.abs().max()))


@torch.inference_mode()
def test_a_folded_network_in_single_precision_differs_by_rounding_only() -> None:
    model = filled(TopFormer(NANO))
    expected, actual = model(image(128, 160)), fold_batch_norm(model)(image(128, 160))
    # 1.2e-5 was measured; the filled attention amplifies the rounding of the folded weights.
    assert float((actual - expected).abs().max() / expected.abs().max()) < 1e-4


def test_no_batchnorm_is_left_and_convolutions_keep_their_paths() -> None:
    model = TopFormer(NANO)
    folded = fold_batch_norm(model)
    convolutions = {name for name, part in model.named_modules() if isinstance(part, nn.Conv2d)}
    assert norms(folded) == []
    assert {name for name, part in folded.named_modules() if isinstance(part, nn.Conv2d)} == convolutions


def test_a_folded_network_has_a_weight_and_a_bias_per_convolution() -> None:
    # Small: each unit loses two parameters per channel and gains one.
    model = TopFormer(SMALL)
    channels = sum(unit.conv.out_channels for unit in model.modules() if isinstance(unit, ConvUnit))
    parameters = sum(p.numel() for p in fold_batch_norm(model).parameters())
    assert parameters == 3_034_662 - channels


def test_the_trained_network_is_left_as_it_was() -> None:
    model = TopFormer(NANO).train()
    count = len(norms(model))
    folded = fold_batch_norm(model)
    assert (len(norms(model)), model.training, folded.training) == (count, True, False)
    assert all(p.requires_grad for p in model.parameters())
    assert not any(p.requires_grad for p in folded.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_the_folded_network_keeps_the_precision(dtype: torch.dtype) -> None:
    assert {p.dtype for p in fold_batch_norm(TopFormer(NANO).to(dtype)).parameters()} == {dtype}


@torch.inference_mode()
def test_a_backbone_can_be_folded_alone() -> None:
    backbone = filled(TopFormer(replace(NANO, injected=(16, 32)))).get_submodule("backbone")
    for actual, expected in zip(fold_batch_norm(backbone)(image(96, 96)), backbone(image(96, 96)), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("statistic", ["running_mean", "running_var"])
def test_statistics_that_are_not_finite_are_refused(statistic: str) -> None:
    model = TopFormer(NANO)
    model.get_buffer(f"backbone.pyramid.stem.norm.{statistic}")[0] = nan
    with pytest.raises(ExplorerError, match="differs from the trained one by nan"):
        fold_batch_norm(model)


def test_a_wrong_folding_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topformer.deployment.fold.fuse_conv_bn_eval", lambda conv, norm: conv)
    with pytest.raises(ExplorerError, match="more than 1e-05"):
        fold_batch_norm(filled(TopFormer(NANO)))


def test_a_batchnorm_outside_a_unit_is_refused_by_path() -> None:
    model = nn.Sequential(ConvUnit(3, 4), nn.BatchNorm2d(4))
    with pytest.raises(InputError, match="stands outside them at 1"):
        fold_batch_norm(model)

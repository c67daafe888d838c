"""Zero-cost proxies: each against arithmetic by hand, and their repairs on the real network."""

from math import log, sqrt

import pytest
import torch
from torch import Tensor, nn

from experiments.training.proxies import Batch, fresh, grad_norm, naswot, score, snip, synflow, zico
from topformer.errors import EvaluationError
from topformer.network import TopFormer
from topformer.presets import BASE, NANO


def two_classes() -> nn.Module:
    """One channel to logits of two classes with equal weights, so that each class has the probability one half."""
    conv = nn.Conv2d(1, 2, 1, bias=False)
    nn.init.ones_(conv.weight)
    return conv


def constant(value: float) -> Batch:
    """Two images of one value and one channel; every pixel is of class 0."""
    return torch.full((2, 1, 4, 4), float(value)), torch.zeros((2, 4, 4), dtype=torch.uint8)


def test_zico_is_the_logarithm_of_mean_over_deviation_summed() -> None:
    # Gradients -1/2 and 1/2, then -1 and 1: mean 3/4, deviation 1/4, twice.
    assert zico(two_classes(), [constant(1), constant(2)]) == pytest.approx(log(6))


def test_zico_leaves_out_what_never_changes() -> None:
    assert zico(two_classes(), [constant(1), constant(1)]) == 0


def test_grad_norm_and_snip_are_means_over_the_batches() -> None:
    batches = [constant(1), constant(2)]
    assert grad_norm(two_classes(), batches) == pytest.approx((sqrt(0.5) + sqrt(2)) / 2)
    assert snip(two_classes(), batches) == pytest.approx((1 + 2) / 2)


def test_naswot_counts_units_in_which_images_agree() -> None:
    images = torch.tensor([[1.0, -1, 1, 1], [1, 1, -1, 1]]).reshape(2, 1, 2, 2)
    # Four units, the two images agree in two of them.
    model = nn.Sequential(nn.Sequential(nn.ReLU()))
    assert naswot(model, [(images, torch.zeros(2, 2, 2))]) == pytest.approx(log(4 * 4 - 2 * 2))


def test_synflow_takes_weights_absolute_and_bounds_nothing() -> None:
    conv = nn.Conv2d(3, 1, 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([10.0, -20, 30]).reshape(1, 3, 1, 1))
    # Beyond the bound of ReLU6 no gradient would be left.
    assert synflow(nn.Sequential(conv, nn.ReLU6()), [(torch.zeros(2, 3, 4, 5), Tensor())]) == pytest.approx(
        log(60 * 4 * 5)
    )


def test_every_weight_of_attention_has_a_gradient_where_the_release_gives_it_none() -> None:
    images = torch.randn(2, 3, 128, 128)
    name = "backbone.extractor.blocks.0.attention.query.conv"
    for model, is_seen in ((TopFormer(NANO), False), (fresh(NANO), True)):
        weight = model.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        model(images).sum().backward()
        assert weight.grad is not None
        assert bool(weight.grad.any()) is is_seen


def test_synflow_of_the_largest_preset_is_finite() -> None:
    images, labels = torch.zeros(2, 3, 64, 64), torch.zeros((2, 64, 64), dtype=torch.uint8)
    assert score("synflow", fresh(BASE), [(images, labels)]) > 0


def test_a_number_that_is_not_finite_is_an_error() -> None:
    images, labels = torch.full((2, 3, 64, 64), float("nan")), torch.zeros((2, 64, 64), dtype=torch.uint8)
    with pytest.raises(EvaluationError, match=r"grad_norm of this design is nan at 64 x 64 px"):
        score("grad_norm", fresh(NANO), [(images, labels)] * 2)

"""The lean loop's convolution units: torch's own numbers up to rounding, forward, backward and in what they track."""

import copy
from statistics import mean

import pytest
import torch
from torch import Tensor, nn

from experiments.training.lean.units import DepthwiseUnit, ExpandUnit, adopt
from topformer.design import Design
from topformer.layers import ConvUnit
from topformer.network import TopFormer
from topformer.presets import BASE, NANO, TINY

needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
    reason="torch was built without oneDNN",
)


def pair(inputs: int, outputs: int, kernel: int, groups: int) -> tuple[ConvUnit, ConvUnit]:
    """The same unit twice: torch's own in double precision, and the lean loop's."""
    torch.manual_seed(0)
    unit = ConvUnit(inputs, outputs, kernel, groups=groups, act=nn.ReLU())
    nn.init.normal_(unit.norm.weight, 1.0, 0.3)
    nn.init.normal_(unit.norm.bias, 0.0, 0.3)
    lean = (ExpandUnit if kernel == 1 else DepthwiseUnit)(inputs, outputs, kernel, groups=groups, act=nn.ReLU())
    lean.load_state_dict(unit.state_dict())
    return unit.double(), lean


def through(unit: ConvUnit, x: Tensor, pull: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().to(unit.conv.weight.dtype, copy=True).requires_grad_()
    y = unit(x)
    y.backward(pull.to(y.dtype, copy=True))
    assert x.grad is not None
    return y.detach(), x.grad


@needs_onednn
@pytest.mark.parametrize(("inputs", "outputs", "kernel", "groups"), [(5, 15, 1, 1), (16, 64, 1, 1), (12, 12, 5, 12)])
def test_a_unit_gives_torchs_maps_gradients_and_running_statistics(
    inputs: int, outputs: int, kernel: int, groups: int
) -> None:
    theirs, ours = pair(inputs, outputs, kernel, groups)
    # Far from zero mean, where a variance of squares would lose its digits.
    x = (torch.randn(3, inputs, 9, 7) * 0.5 + 4).to(memory_format=torch.channels_last)
    pull = torch.randn(3, outputs, 9, 7).to(memory_format=torch.channels_last)
    for mine, expected in zip(through(ours, x, pull), through(theirs, x, pull), strict=True):
        torch.testing.assert_close(mine.double(), expected, rtol=1e-3, atol=2e-4)
    for mine, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.grad is not None
        torch.testing.assert_close(mine.grad.double(), expected.grad, rtol=1e-3, atol=2e-3)
    for mine, expected in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine.double(), expected.double(), rtol=1e-3, atol=2e-4)


@needs_onednn
@pytest.mark.parametrize("design", [NANO, TINY, BASE], ids=["nano", "tiny", "base"])
def test_a_networks_gradients_are_as_near_to_double_precision_as_torchs_own(design: Design) -> None:
    torch.manual_seed(0)
    plain = TopFormer(design, drop_path=0, dropout=0).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    lean, exact = copy.deepcopy(plain), copy.deepcopy(plain).double()
    adopt(lean)
    assert list(lean.state_dict()) == list(plain.state_dict())
    x = torch.randn(4, 3, 64, 96).to(memory_format=torch.channels_last)
    for network in (plain, lean, exact):
        logits = network(x.to(next(network.parameters()).dtype))
        (logits * torch.linspace(0, 1, logits.numel()).reshape(logits.shape)).sum().backward()

    def error(network: TopFormer) -> float:
        pairs = zip(network.parameters(), exact.parameters(), strict=True)
        return mean(float((p.grad - q.grad).norm() / q.grad.norm().clamp_min(1e-3)) for p, q in pairs)

    assert error(lean) < 1.5 * error(plain)


def test_a_network_in_evaluation_is_torchs_own_to_the_bit() -> None:
    plain = TopFormer(NANO).eval()
    lean = copy.deepcopy(plain)
    adopt(lean)
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(lean(x), plain(x))

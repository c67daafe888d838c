"""BatchNorm's statistics: the average of the batches', each normalised by its own."""

from collections.abc import Iterator

import pytest
import torch

from topformer.layers import ConvUnit
from topformer.network import TopFormer
from topformer.presets import NANO
from topformer.weights.statistics import recalibrate, skeleton


@pytest.fixture
def network() -> Iterator[TopFormer]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield TopFormer(NANO, drop_path=0.5, dropout=0.5)


def batches(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(4, 3, 64, 64, generator=generator) * (i + 1) for i in range(count)]


def stem(network: TopFormer) -> ConvUnit:
    unit: ConvUnit = network.backbone.pyramid.stem
    return unit


def test_statistics_are_the_averages_over_the_batches(network: TopFormer) -> None:
    given = batches(3)
    network(given[2])
    recalibrate(network, given)
    maps = [stem(network).conv(images) for images in given]
    mean = torch.stack([one.mean((0, 2, 3)) for one in maps]).mean(0)
    variance = torch.stack([one.var((0, 2, 3)) for one in maps]).mean(0)
    torch.testing.assert_close(stem(network).norm.running_mean, mean)
    torch.testing.assert_close(stem(network).norm.running_var, variance)


def test_nothing_is_dropped_and_nothing_else_changes(network: TopFormer) -> None:
    before = {name: value.clone() for name, value in network.named_parameters()}
    recalibrate(network, batches(2))
    first = {name: value.clone() for name, value in network.named_buffers()}
    recalibrate(network, batches(2))
    assert all(torch.equal(value, first[name]) for name, value in network.named_buffers())
    assert all(torch.equal(value, before[name]) for name, value in network.named_parameters())
    assert not any(module.training for module in network.modules())
    assert stem(network).norm.momentum == 0.1


def test_a_skeleton_has_no_statistics_and_leaves_the_generator_alone() -> None:
    state = torch.get_rng_state()
    network = skeleton(NANO, drop_path=0.2)
    assert torch.equal(torch.get_rng_state(), state)
    assert list(network.buffers()) == []
    assert {value.device.type for value in network.parameters()} == {"meta"}

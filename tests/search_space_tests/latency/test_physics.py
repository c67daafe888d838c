"""The physics of the latency model: monotone in size, channels and depth, additive over modules, nothing negative."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.cost.closed_form import operations
from search_space.latency.calibration.devices import device
from search_space.latency.devices import devices
from search_space.latency.kernels import kernels
from tests.search_space_tests.latency.test_model import at, conv
from topformer import BASE, NANO, TINY
from topformer.design import Block, Design


@given(
    channels=st.integers(1, 300), out=st.integers(1, 300), side=st.integers(1, 40), more=st.integers(1, 100),
    kernel=st.sampled_from([1, 3, 5]), what=st.sampled_from(["channels", "out", "side"]),
)  # fmt: skip
def test_more_channels_or_pixels_are_never_less_work_or_fewer_bytes(
    channels: int, out: int, side: int, more: int, kernel: int, what: str
) -> None:
    sizes = {"channels": channels, "out": out, "side": side}
    grown = {**sizes, what: sizes[what] + more}
    graph = []
    for of in (sizes, grown):
        weights = kernel * kernel * of["channels"] * of["out"]
        graph += kernels([conv(of["channels"], of["out"], of["side"], kernel=(kernel, kernel), parameters=weights)])
    before, after = graph
    assert after.moved > before.moved
    # From 15 to 16 input channels Winograd begins, and 3x3 convolutions get cheaper: so it is in the engines.
    if before.winograd == after.winograd:
        assert after.work >= before.work > 0


@given(
    depth=st.integers(1, 3), heads=st.sampled_from([2, 4, 6]), width=st.sampled_from([64, 128, 192]),
    side=st.sampled_from([64, 128, 192, 320]), name=st.sampled_from(devices()), more=st.integers(0, 3),
)  # fmt: skip
@settings(max_examples=40)
def test_a_larger_network_or_image_is_never_predicted_faster(
    depth: int, heads: int, width: int, side: int, name: str, more: int
) -> None:
    model = device(name)
    base = replace(NANO, blocks=(Block(heads=heads),) * depth, width=width)
    grown = (
        at(replace(base, blocks=(Block(heads=heads),) * (depth + 1)), side, side),
        at(replace(base, blocks=(Block(heads=heads + 1),) * depth), side, side),
        at(replace(base, width=width + 8), side, side),
        at(base, side, side + 32),
    )[more]
    assert model.estimate(grown).milliseconds > model.estimate(at(base, side, side)).milliseconds


@given(cut=st.integers(1, 200), design=st.sampled_from([NANO, TINY, BASE]), name=st.sampled_from(devices()))
@settings(max_examples=40)
def test_the_parts_of_a_network_add_up_and_none_costs_less_than_nothing(cut: int, design: Design, name: str) -> None:
    model, graph = device(name), kernels(operations(design, 256, 256))
    cut = min(cut, len(graph) - 1)
    whole, first, second = (model.times(part) for part in (graph, graph[:cut], graph[cut:]))
    assert whole.min() > 0
    assert whole.sum() == pytest.approx(first.sum() + second.sum())

"""What is not known is said: work without a rule, another format, several images; known work has its time."""

from math import inf, isfinite
from typing import Any

import pytest
import torch
from torch import nn

from search_space.latency.calibration.devices import device
from search_space.latency.devices import devices
from search_space.latency.model import DeviceModel
from search_space.operations.operation import Kind, Operation
from search_space.operations.walk import walk
from topformer.errors import InputError


@pytest.fixture(scope="module")
def phone() -> DeviceModel:
    return device("snapdragon-865")


def conv(channels: int = 64, out: int = 64, side: int = 32, **fields: Any) -> Operation:
    values = {"reads": (0,), "writes": 1, "parameters": 9 * channels * out, "kernel": (3, 3), **fields}
    shape, output = (1, channels, side, side), (1, out, side, side)
    return Operation(Kind.CONV, "conv2d", "", (shape,), output, **values)


def test_where_something_is_unknown_the_interval_is_open_above(phone: DeviceModel) -> None:
    shape = (1, 64, 32, 32)
    strange = Operation(Kind.UNKNOWN, "_fft_r2c", "", (shape,), shape, (1,), 2)
    odd = phone.estimate([conv(), strange])
    assert odd.high == inf
    assert odd.to_json()["high"] is None
    assert "to unknown above)" in odd.render()
    assert "coverage: at most " in odd.render()
    # What rearranges numbers has no counting rule, but its bytes are what it costs.
    shuffled = phone.estimate([conv(), strange._replace(name="pixel_shuffle")])
    assert isfinite(shuffled.high)
    assert shuffled.unknown == ()


@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(256, 128, 2, stride=2),
        nn.Sequential(nn.Conv2d(256, 64, 1), nn.Flatten(2), nn.LSTM(4096, 256)),
        nn.Sequential(nn.Conv2d(256, 64, 1), nn.Flatten(2), nn.GRU(4096, 256)),
    ],
)
@pytest.mark.parametrize("name", devices())
def test_known_work_takes_at_least_what_the_core_needs_for_it(name: str, layer: nn.Module) -> None:
    model, steps = device(name), walk(layer, 64, 64, channels=256)
    estimate = model.estimate(steps)
    assert estimate.milliseconds >= model.ms_per_gmac * sum(step.macs for step in steps) / 1e9
    assert isfinite(estimate.high)
    assert estimate.unknown == ()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_network_of_another_format_has_no_fp32_time(phone: DeviceModel, dtype: torch.dtype) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).to(dtype)
    with pytest.raises(InputError, match=f"fp32 networks alone, got {str(dtype)[6:]} in 0; give it in fp32"):
        phone.estimate(walk(network, 32, 32))


def test_a_batch_is_not_called_one_image(phone: DeviceModel) -> None:
    network = nn.Conv2d(3, 8, 3)
    one, four = (phone.estimate(walk(network, 64, 64, batch=batch)) for batch in (1, 4))
    assert (one.batch, four.batch, four.to_json()["batch"]) == (1, 4, 4)
    assert " ms for 4 images on " in four.render()
    assert " images" not in one.render()
    assert any("4 images in one run" in note for note in four.notes)


def test_a_dense_convolution_of_15_channels_is_said_to_be_slower_than_one_of_16(phone: DeviceModel) -> None:
    fifteen, sixteen = phone.estimate([conv(15)]), phone.estimate([conv(16)])
    assert fifteen.milliseconds > sixteen.milliseconds
    (note,) = (note for note in fifteen.notes if "Winograd" in note)
    assert "16 would take less time than: the network itself 15" in note
    # Three channels, as of an image, are fewer products than sixteen by any algorithm.
    assert not any("Winograd" in note for one in (sixteen, phone.estimate([conv(3)])) for note in one.notes)

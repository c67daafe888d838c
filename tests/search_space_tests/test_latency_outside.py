"""The latency model against networks that it never saw: LR-ASPP on MobileNetV3-Large, from the paper's Table 1."""

from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from search_space.cost.operation import Operation
from search_space.latency.calibration import device
from search_space.latency.kernels import kernels
from search_space.latency.walk import walk

# Kernel, expanded channels, output channels, squeeze-and-excite, hard-swish, stride, dilation: MobileNetV3
# (Howard et al., ICCV 2019), Table 1, at output stride 16.
# fmt: off
ROWS = (
    (3, 16, 16, 0, 0, 1, 1),
    (3, 64, 24, 0, 0, 2, 1), (3, 72, 24, 0, 0, 1, 1),
    (5, 72, 40, 1, 0, 2, 1), (5, 120, 40, 1, 0, 1, 1), (5, 120, 40, 1, 0, 1, 1),
    (3, 240, 80, 0, 1, 2, 1), (3, 200, 80, 0, 1, 1, 1), (3, 184, 80, 0, 1, 1, 1), (3, 184, 80, 0, 1, 1, 1),
    (3, 480, 112, 1, 1, 1, 1), (3, 672, 112, 1, 1, 1, 1),
)
# fmt: on
FINE = 6


def unit(inputs: int, outputs: int, activation: type[nn.Module] | None = None, **kinds: Any) -> nn.Sequential:
    kernel, dilation = kinds.pop("kernel", 1), kinds.get("dilation", 1)
    padding = dilation * (kernel // 2)
    layers = [nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False, **kinds), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class Squeeze(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = int(channels / 4 + 4) // 8 * 8
        self.down, self.up = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * functional.hardsigmoid(self.up(functional.relu(self.down(functional.adaptive_avg_pool2d(x, 1)))))


class Residual(nn.Module):
    def __init__(self, inputs: int, row: tuple[int, ...]) -> None:
        super().__init__()
        kernel, hidden, outputs, squeeze, swish, stride, dilation = row
        act = nn.Hardswish if swish else nn.ReLU
        layers: list[nn.Module] = [unit(inputs, hidden, act)] if hidden != inputs else []
        layers.append(unit(hidden, hidden, act, kernel=kernel, stride=stride, groups=hidden, dilation=dilation))
        layers += [Squeeze(hidden)] if squeeze else []
        self.body = nn.Sequential(*layers, unit(hidden, outputs))
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.body(x)
        return x + output if self.skips else output


class LRASPP(nn.Module):
    def __init__(self, divisor: int) -> None:
        super().__init__()
        last, wide = 160 // divisor, 960 // divisor
        rows = (*ROWS, (5, 672, last, 1, 1, 1, 2), (5, wide, last, 1, 1, 1, 2), (5, wide, last, 1, 1, 1, 2))
        self.stem = unit(3, 16, nn.Hardswish, kernel=3, stride=2)
        inputs = (16, *(row[2] for row in rows[:-1]))
        blocks = [Residual(*pair) for pair in zip(inputs, rows, strict=True)]
        self.fine = nn.Sequential(*blocks[:FINE])
        self.coarse = nn.Sequential(*blocks[FINE:], unit(last, wide, nn.Hardswish))
        self.semantics, self.gate = unit(wide, 128, nn.ReLU), nn.Conv2d(wide, 128, 1, bias=False)
        self.fine_classes, self.coarse_classes = nn.Conv2d(40, 150, 1), nn.Conv2d(128, 150, 1)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.fine(self.stem(image))
        coarse = self.coarse(fine)
        gated = self.semantics(coarse) * torch.sigmoid(self.gate(functional.adaptive_avg_pool2d(coarse, 1)))
        resized = functional.interpolate(gated, size=fine.shape[2:], mode="bilinear")
        output: Tensor = self.fine_classes(fine) + self.coarse_classes(resized)
        return output


NETWORKS = {"LR-ASPP MobileNetV3-Large": (1, 2.06, 126), "LR-ASPP MobileNetV3-Large-reduce": (2, 1.33, 81)}


@pytest.fixture(scope="module", params=list(NETWORKS))
def network(request: pytest.FixtureRequest) -> tuple[str, tuple[Operation, ...]]:
    return request.param, walk(LRASPP(NETWORKS[request.param][0]), 512, 512)


def test_macs_are_those_counted_for_the_published_network(network: tuple[str, tuple[Operation, ...]]) -> None:
    name, steps = network
    assert sum(step.macs for step in steps) / 1e9 == pytest.approx(NETWORKS[name][1], abs=0.005)


def test_the_published_time_lies_in_the_interval(network: tuple[str, tuple[Operation, ...]]) -> None:
    name, steps = network
    estimate = device("snapdragon-865").estimate(steps)
    assert estimate.low < NETWORKS[name][2] < estimate.high
    assert abs(log(NETWORKS[name][2] / estimate.milliseconds)) < log(1.25)


def test_what_topformer_does_not_have_is_not_covered(network: tuple[str, tuple[Operation, ...]]) -> None:
    estimate = device("snapdragon-865").estimate(network[1])
    assert 0.8 < estimate.coverage < 0.95
    (note,) = (note for note in estimate.notes if "never measured" in note)
    assert "depthwise 5x5 dilated" in note
    assert "hardswish" in note


def test_the_shipped_kernels_are_those_of_the_walk(network: tuple[str, tuple[Operation, ...]]) -> None:
    name, steps = network
    phone = device("snapdragon-865")
    load = phone.loader.load(kernels(steps))
    (row,) = (row for row in phone.others if row.name == name)
    assert row.predicted_ms == pytest.approx((phone.ms_per_gmac * load.work + phone.ms_per_gb * load.moved) / 1e9)


def test_every_network_outside_the_fit_lies_in_its_interval() -> None:
    phone = device("snapdragon-865")
    for row in phone.others:
        half = 4.303 * float(phone.spread.sd_log(np.array(1 - row.coverage), np.array(0.0)))
        assert exp(-half) < row.measured_ms / row.predicted_ms < exp(half)

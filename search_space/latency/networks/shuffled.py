"""Image classifiers that reuse channels, from their papers: ShuffleNet, ShuffleNetV2, ESNet, GhostNet."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from search_space.latency.networks.layers import (
    Joined,
    Residual,
    Squeeze,
    classifier,
    depthwise,
    eighths,
    shuffled,
    unit,
)

SHUFFLENET_V2 = {
    0.25: (24, 48, 96, 512),
    0.33: (32, 64, 128, 512),
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (224, 488, 976, 2048),
}
"""Channels by multiplier (Ma et al., ECCV 2018, Table 5; below 0.5, and 224 where the paper has 244, PaddleClas)."""

# Kernel, hidden channels, channels, squeeze and excitation, stride.
GHOSTNET = (
    *((3, 16, 16, 0, 1), (3, 48, 24, 0, 2), (3, 72, 24, 0, 1), (5, 72, 40, 1, 2), (5, 120, 40, 1, 1)),
    *((3, 240, 80, 0, 2), (3, 200, 80, 0, 1), (3, 184, 80, 0, 1), (3, 184, 80, 0, 1)),
    *((3, 480, 112, 1, 1), (3, 672, 112, 1, 1), (5, 672, 160, 1, 2)),
    *((5, 960, 160, 0, 1), (5, 960, 160, 1, 1), (5, 960, 160, 0, 1), (5, 960, 160, 1, 1)),
)
"""Rows (Han et al., CVPR 2020, Table 1)."""


class Shuffle(nn.Module):
    """Channel shuffle."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """The map with its channels interleaved."""
        return shuffled(x, self.groups)


class PooledShortcut(nn.Module):
    """The block of ShuffleNet that halves the grid: its input, averaged, is put beside its output."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """Pooled input and body, concatenated and activated."""
        return functional.relu(torch.cat([functional.avg_pool2d(x, 3, 2, 1), self.body(x)], 1))


def shufflenet_v1(groups: int = 3) -> nn.Module:
    """ShuffleNet 1x with three groups (Zhang et al., CVPR 2018, Table 1)."""
    layers: list[nn.Module] = [unit(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 24
    for outputs, repeats in ((240, 4), (480, 8), (960, 4)):
        for index in range(repeats):
            stride = 1 if index else 2
            own = outputs - channels if stride == 2 else outputs
            inner = own // 4
            # The first layer of all is not grouped, because its input has few channels.
            first = unit(channels, inner, groups=1 if channels == 24 else groups)
            middle = depthwise(inner, 3, stride, None)
            body = nn.Sequential(first, Shuffle(groups), middle, unit(inner, own, 1, 1, None, groups=groups))
            layers.append(PooledShortcut(body) if stride == 2 else Residual(body, activation=nn.ReLU))
            channels = outputs
    return nn.Sequential(*layers, classifier(channels))


class ShuffleBlock(nn.Module):
    """A block of ShuffleNetV2: half of the channels pass it by, or a second branch takes them to half the grid."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half, entering = outputs // 2, inputs if stride == 2 else inputs // 2
        self.body = nn.Sequential(unit(entering, half), depthwise(half, 3, stride, None), unit(half, half))
        self.beside = nn.Sequential(depthwise(inputs, 3, 2, None), unit(inputs, half)) if stride == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        """Both halves, concatenated and shuffled."""
        passed, taken = (self.beside(x), x) if self.beside else x.chunk(2, 1)
        return shuffled(torch.cat([passed, self.body(taken)], 1), 2)


def shufflenet_v2(multiplier: float = 1.0) -> nn.Module:
    """ShuffleNetV2."""
    *stages, last = SHUFFLENET_V2[multiplier]
    layers: list[nn.Module] = [unit(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 24
    for outputs, repeats in zip(stages, (4, 8, 4), strict=True):
        for index in range(repeats):
            layers.append(ShuffleBlock(channels, outputs, 1 if index else 2))
            channels = outputs
    return nn.Sequential(*layers, unit(channels, last), classifier(last))


class EnhancedBlock(nn.Module):
    """A block of ESNet that keeps the grid: as ShuffleNetV2, with both products of a ghost module squeezed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.primary, self.cheap = unit(half, half, 1, 1, nn.Hardswish), depthwise(half, 3, 1, None)
        self.mixed = nn.Sequential(Squeeze(channels, channels // 4), unit(channels, half, 1, 1, nn.Hardswish))

    def forward(self, x: Tensor) -> Tensor:
        """Both halves, concatenated and shuffled."""
        passed, taken = x.chunk(2, 1)
        primary = self.primary(taken)
        return shuffled(torch.cat([passed, self.mixed(torch.cat([primary, self.cheap(primary)], 1))], 1), 2)


def esnet(multiplier: float = 1.0) -> nn.Module:
    """ESNet, the backbone of PP-PicoDet (Yu et al., 2021); rows as in PaddleClas, commit ec8aed8."""
    layers: list[nn.Module] = [unit(3, 24, 3, 2, nn.Hardswish), nn.MaxPool2d(3, 2, 1)]
    channels = 24
    for width, repeats in ((116, 3), (232, 7), (464, 3)):
        outputs = eighths(width * multiplier)
        half = outputs // 2
        beside = nn.Sequential(depthwise(channels, 3, 2, None), unit(channels, half, 1, 1, nn.Hardswish))
        filtered = [unit(channels, half, 1, 1, nn.Hardswish), depthwise(half, 3, 2, None), Squeeze(half, half // 4)]
        body = nn.Sequential(*filtered, unit(half, half, 1, 1, nn.Hardswish))
        layers += [Joined(beside, body), depthwise(outputs, 3, 1, nn.Hardswish)]
        layers.append(unit(outputs, outputs, 1, 1, nn.Hardswish))
        layers += [EnhancedBlock(outputs) for _ in range(repeats - 1)]
        channels = outputs
    head = [nn.Conv2d(1024, 1280, 1, bias=False), nn.Hardswish()]
    return nn.Sequential(*layers, unit(channels, 1024, 1, 1, nn.Hardswish), classifier(1280, *head))


class Ghost(nn.Module):
    """Half of the channels by a 1x1 convolution, the other half from them by a depthwise one."""

    def __init__(self, inputs: int, outputs: int, *, activated: bool) -> None:
        super().__init__()
        half, activation = -(-outputs // 2), nn.ReLU if activated else None
        self.primary = unit(inputs, half, 1, 1, activation)
        self.cheap = depthwise(half, 3, 1, activation)

    def forward(self, x: Tensor) -> Tensor:
        """Both halves, concatenated."""
        primary = self.primary(x)
        return torch.cat([primary, self.cheap(primary)], 1)


def ghostnet(multiplier: float = 1.0) -> nn.Module:
    """GhostNet; channels are multiples of 4."""
    channels = eighths(16 * multiplier, 4)
    layers: list[nn.Module] = [unit(3, channels, 3, 2)]
    hidden = channels
    for kernel, width, out, squeezes, stride in GHOSTNET:
        hidden, outputs = eighths(width * multiplier, 4), eighths(out * multiplier, 4)
        body = [Ghost(channels, hidden, activated=True)]
        middle = [depthwise(hidden, kernel, 2, None)] if stride == 2 else []
        squeeze = [Squeeze(hidden, hidden // 4)] if squeezes else []
        block = nn.Sequential(*body, *middle, *squeeze, Ghost(hidden, outputs, activated=False))
        same = stride == 1 and channels == outputs
        through = nn.Sequential(depthwise(channels, kernel, stride, None), unit(channels, outputs, 1, 1, None))
        layers.append(Residual(block, None if same else through))
        channels = outputs
    return nn.Sequential(*layers, unit(channels, hidden), classifier(1280, unit(hidden, 1280)))

"""Layers that the calibration networks share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation = Callable[[], nn.Module]


def eighths(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of 8, or of `divisor`, that is never more than a tenth less; the rule of MobileNetV2."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


def unit(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    activation: Activation | None = nn.ReLU,
    *,
    groups: int = 1,
    dilation: int = 1,
) -> nn.Sequential:
    """Convolution, batch normalisation and, if given, an activation; only the stride reduces the grid."""
    padding = dilation * (kernel // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


def depthwise(
    channels: int, kernel: int, stride: int, activation: Activation | None, *, dilation: int = 1
) -> nn.Sequential:
    """A unit with one input channel per group."""
    return unit(channels, channels, kernel, stride, activation, groups=channels, dilation=dilation)


class Squeeze(nn.Module):
    """Squeeze and excitation (Hu et al., CVPR 2018) through `inner` channels."""

    def __init__(
        self, channels: int, inner: int, activation: Activation = nn.ReLU, gate: Activation = nn.Hardsigmoid
    ) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)
        self.activation, self.gate = activation(), gate()

    def forward(self, x: Tensor) -> Tensor:
        """The map, each channel times its gate."""
        pooled = functional.adaptive_avg_pool2d(x, 1)
        output: Tensor = x * self.gate(self.up(self.activation(self.down(pooled))))
        return output


class Residual(nn.Module):
    """A body whose input is added to its output, through a shortcut if there is one."""

    def __init__(
        self, body: nn.Module, shortcut: nn.Module | None = None, activation: Activation | None = None
    ) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut or nn.Identity()
        self.activation = activation() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The sum, activated if so asked."""
        output: Tensor = self.activation(self.shortcut(x) + self.body(x))
        return output


def inverted(
    inputs: int,
    hidden: int,
    outputs: int,
    kernel: int,
    stride: int,
    activation: Activation,
    *,
    squeeze: nn.Module | None = None,
    dilation: int = 1,
    widens: bool = False,
) -> nn.Module:
    """An inverted residual: widen, filter each channel, project (MobileNetV2, Sandler et al., CVPR 2018).

    With `widens` the first convolution is there even where the hidden channels are those of the input; the papers
    leave it out, and some implementations do not.
    """
    widen = [unit(inputs, hidden, 1, 1, activation)] if widens or hidden != inputs else []
    middle = [depthwise(hidden, kernel, stride, activation, dilation=dilation), *([squeeze] if squeeze else [])]
    body = nn.Sequential(*widen, *middle, unit(hidden, outputs, activation=None))
    return Residual(body) if stride == 1 and inputs == outputs else body


def shuffled(x: Tensor, groups: int) -> Tensor:
    """The channels, interleaved from that many groups."""
    batch, channels, height, width = x.shape
    return x.view(batch, groups, channels // groups, height, width).transpose(1, 2).reshape(x.shape)


def classifier(inputs: int, *layers: nn.Module) -> nn.Sequential:
    """Average over the map, layers on it, and a linear layer to 1000 classes."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), *layers, nn.Flatten(), nn.Linear(inputs, 1000))


class Joined(nn.Module):
    """The outputs of several branches on one input, concatenated."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Branch by branch, in order."""
        return torch.cat([branch(x) for branch in self.branches], 1)

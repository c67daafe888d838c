"""SeaFormer (Wan et al., ICLR 2023) with its light head, up to the logits at 1/8 of the image.

Sizes and layers from the paper and its release (fudan-zvg/SeaFormer, commit 10936dc).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from search_space.latency.networks.layers import depthwise, inverted, unit

Row = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Of one network.

    Attributes:
        stem: Channels after the first convolution.
        stages: Rows `kernel, expansion, channels, stride` of each convolutional stage.
        depths: Blocks after each of the last stages.
        key_dims: Channels of a key in those.
        ratios: Hidden channels of their feed-forward layers, per channel of a token.
        heads: Attention heads.
        fused: Channels of the head's fusions.
    """

    stem: int
    stages: tuple[tuple[Row, ...], ...]
    depths: tuple[int, ...]
    key_dims: tuple[int, ...]
    ratios: tuple[int, ...]
    heads: int
    fused: tuple[int, ...]


def _sizes(widths: Sequence[int], fourth: int, depth: int, heads: int, fused: tuple[int, int]) -> Sizes:
    """Of the three smaller networks, which differ in these alone."""
    second, third, half, coarse, coarsest = widths
    return Sizes(
        stem=16,
        stages=(
            ((3, 1, 16, 1), (3, 4, second, 2), (3, 3, second, 1)),
            ((5, 3, third, 2), (5, 3, third, 1)),
            ((3, 3, half, 2), (3, 3, half, 1)),
            ((5, fourth, coarse, 2),),
            ((3, 6, coarsest, 2),),
        ),
        depths=(depth, depth),
        key_dims=(16, 24),
        ratios=(2, 4),
        heads=heads,
        fused=fused,
    )


SEAFORMERS: Mapping[str, Sizes] = MappingProxyType(
    {
        "SeaFormer-T": _sizes((16, 32, 64, 128, 160), 3, 2, 4, (64, 96)),
        "SeaFormer-S": _sizes((24, 48, 96, 160, 192), 4, 3, 6, (96, 128)),
        "SeaFormer-B": _sizes((32, 64, 128, 192, 256), 4, 4, 8, (128, 160)),
        "SeaFormer-L": Sizes(
            stem=32,
            stages=(
                ((3, 3, 32, 1), (3, 4, 64, 2), (3, 4, 64, 1)),
                ((5, 4, 128, 2), (5, 4, 128, 1)),
                ((3, 4, 192, 2), (3, 4, 192, 1)),
                ((5, 4, 256, 2),),
                ((3, 6, 320, 2),),
            ),
            depths=(3, 3, 3),
            key_dims=(16, 20, 24),
            ratios=(2, 4, 6),
            heads=8,
            fused=(128, 160, 192),
        ),
    }
)
"""Name to sizes."""


class SeaFormer(nn.Module):
    """A SeaFormer that segments."""

    def __init__(self, sizes: Sizes, classes: int = 150) -> None:
        super().__init__()
        channels = sizes.stem
        self.stem = unit(3, channels, 3, 2)
        self.stages, self.attentions = nn.ModuleList(), nn.ModuleList()
        taps = []
        for index, rows in enumerate(sizes.stages):
            self.stages.append(_stage(channels, rows))
            channels = rows[-1][2]
            late = index - (len(sizes.stages) - len(sizes.depths))
            blocks = [_block(sizes, channels, late) for _ in range(sizes.depths[late] if late >= 0 else 0)]
            self.attentions.append(nn.Sequential(*blocks))
            taps += [channels] if index == 1 or late >= 0 else []
        self.taps = (1, *range(len(sizes.stages) - len(sizes.depths), len(sizes.stages)))
        fine = (taps[0], *sizes.fused[:-1])
        self.fusions = nn.ModuleList(
            Fusion(local, far, out) for local, far, out in zip(fine, taps[1:], sizes.fused, strict=True)
        )
        self.head = nn.Sequential(depthwise(sizes.fused[-1], 1, 1, nn.ReLU), nn.Conv2d(sizes.fused[-1], classes, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Logits at 1/8 of the image."""
        x, maps = self.stem(image), []
        for index, (stage, attention) in enumerate(zip(self.stages, self.attentions, strict=True)):
            x = attention(stage(x))
            maps += [x] if index in self.taps else []
        detail, *rest = maps
        for fuse, far in zip(self.fusions, rest, strict=True):
            detail = fuse(detail, far)
        logits: Tensor = self.head(detail)
        return logits


def _stage(channels: int, rows: Sequence[Row]) -> nn.Sequential:
    blocks = []
    for kernel, expansion, outputs, stride in rows:
        blocks.append(inverted(channels, channels * expansion, outputs, kernel, stride, nn.ReLU))
        channels = outputs
    return nn.Sequential(*blocks)


def _block(sizes: Sizes, channels: int, stage: int) -> nn.Module:
    hidden = channels * sizes.ratios[stage]
    filtered = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
    forward = [unit(channels, hidden, activation=None), filtered, nn.ReLU6(), unit(hidden, channels, activation=None)]
    return nn.Sequential(Added(Axial(channels, sizes.key_dims[stage], sizes.heads)), Added(nn.Sequential(*forward)))


class Added(nn.Module):
    """A body whose input is added to its output."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """The sum."""
        output: Tensor = x + self.body(x)
        return output


def _gate(x: Tensor) -> Tensor:
    return functional.relu6(x + 3) / 6


class Axial(nn.Module):
    """Attention over the means of rows and of columns, gating a convolution of queries, keys and values."""

    def __init__(self, channels: int, key_dim: int, heads: int) -> None:
        super().__init__()
        keys, values = key_dim * heads, 2 * key_dim * heads
        self.heads, self.scale = heads, key_dim**-0.5
        self.query, self.key = unit(channels, keys, activation=None), unit(channels, keys, activation=None)
        self.value = unit(channels, values, activation=None)
        self.positions = nn.ParameterList(nn.Parameter(torch.zeros(1, keys, 16)) for _ in range(4))
        self.encode = nn.ModuleList(nn.Sequential(nn.ReLU6(), unit(values, values, activation=None)) for _ in range(2))
        self.project = nn.Sequential(nn.ReLU6(), unit(values, channels, activation=None))
        mixed = 2 * values
        self.detail = nn.Sequential(depthwise(mixed, 3, 1, nn.ReLU6), unit(mixed, channels, activation=None))

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        detail = self.detail(torch.cat([query, key, value], 1))
        rows = self._attend(query.mean(3), key.mean(3), value.mean(3), 0).unsqueeze(3)
        columns = self._attend(query.mean(2), key.mean(2), value.mean(2), 1).unsqueeze(2)
        axes = self.encode[0](rows) + self.encode[1](columns)
        output: Tensor = _gate(self.project(value + axes)) * detail
        return output

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, axis: int) -> Tensor:
        batch, _, length = query.shape
        first, second = (
            functional.interpolate(position, size=length, mode="linear")
            for position in (self.positions[2 * axis], self.positions[2 * axis + 1])
        )
        query = (query + first).view(batch, self.heads, -1, length).transpose(2, 3)
        scores = query @ (key + second).view(batch, self.heads, -1, length) * self.scale
        mixed = scores.softmax(-1) @ value.view(batch, self.heads, -1, length).transpose(2, 3)
        output: Tensor = mixed.transpose(2, 3).reshape(batch, -1, length)
        return output


class Fusion(nn.Module):
    """Fine tokens times the gate that coarse ones give."""

    def __init__(self, local: int, far: int, outputs: int) -> None:
        super().__init__()
        self.local, self.far = unit(local, outputs, activation=None), unit(far, outputs, activation=None)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """A map of the fine grid."""
        gate = functional.interpolate(_gate(self.far(coarse)), size=fine.shape[2:], mode="bilinear")
        output: Tensor = self.local(fine) * gate
        return output

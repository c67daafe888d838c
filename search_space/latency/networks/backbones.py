"""Feature extractors of segmentation networks: grids of the image from 1/4 to 1/32, for the heads of a framework."""

from collections.abc import Collection, Sequence

from torch import Tensor, nn

from search_space.latency.networks.layers import Squeeze, inverted, unit
from search_space.latency.networks.mobile import EFFICIENTNET_B0
from search_space.latency.networks.shuffled import shufflenet_v2

_DILATED_FROM = 5


class Stages(nn.Module):
    """Layers in a row, with the maps after some of them as outputs."""

    def __init__(self, layers: Sequence[nn.Module], taps: Collection[int]) -> None:
        super().__init__()
        self.layers, self.taps = nn.ModuleList(layers), frozenset(taps)

    def forward(self, image: Tensor) -> list[Tensor]:
        """The maps after the layers of the taps, the finest first."""
        maps, x = [], image
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.taps:
                maps.append(x)
        return maps


def shufflenet_v2_stages(multiplier: float = 1.5) -> nn.Module:
    """ShuffleNetV2 without its last convolution: 24 channels at 1/4, those of its last stage at 1/32."""
    *layers, _, _ = shufflenet_v2(multiplier).children()
    return Stages(layers, (1, len(layers) - 1))


def efficientnet_b0_stages() -> nn.Module:
    """EfficientNet-B0 at output stride 16: 24 channels at 1/4, 320 at 1/16; the last two stages are dilated."""
    layers: list[nn.Module] = [unit(3, 32, 3, 2, nn.SiLU)]
    taps, channels = [], 32
    for stage, (expansion, outputs, repeats, first, kernel) in enumerate(EFFICIENTNET_B0):
        dilation = 2 if stage >= _DILATED_FROM else 1
        for index in range(repeats):
            stride = 1 if index or dilation == 2 else first
            hidden = channels * expansion
            squeeze = Squeeze(hidden, max(1, channels // 4), nn.SiLU, nn.Sigmoid)
            block = inverted(channels, hidden, outputs, kernel, stride, nn.SiLU, squeeze=squeeze, dilation=dilation)
            layers.append(block)
            channels = outputs
        taps.append(len(layers) - 1)
    return Stages(layers, (taps[1], taps[-1]))


class Mixed(nn.Module):
    """A block of ConvMLP: two channel MLPs around a depthwise convolution, each after a layer normalisation."""

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
        self.first, self.second = _mlp(channels, ratio), _mlp(channels, ratio)
        self.connect = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of shape (batch, height, width, channels), as before."""
        x = x + self.first(self.norms[0](x))
        x = self.connect(self.norms[1](x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        output: Tensor = x + self.second(self.norms[2](x))
        return output


def _mlp(channels: int, ratio: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, ratio * channels), nn.GELU(), nn.Linear(ratio * channels, channels))


class ConvMLP(nn.Module):
    """ConvMLP-S (Li et al., 2021): 64, 128, 256 and 512 channels at 1/4 to 1/32 of the image."""

    def __init__(
        self, blocks: Sequence[int] = (2, 4, 2), dims: Sequence[int] = (128, 256, 512), ratio: int = 2
    ) -> None:
        super().__init__()
        stem = [unit(3, 32, 3, 2), unit(32, 32, 3), unit(32, 64, 3), nn.MaxPool2d(3, 2, 1)]
        self.stem = nn.Sequential(*stem)
        self.blocks = nn.ModuleList(
            nn.Sequential(unit(64, dims[0]), unit(dims[0], dims[0], 3), unit(dims[0], 64)) for _ in range(2)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Mixed(width, ratio) for _ in range(depth)))
            for width, depth in zip(dims, blocks, strict=True)
        )
        widths = (64, *dims)
        self.halves = nn.ModuleList(
            nn.Conv2d(before, after, 3, 2, 1) for before, after in zip(widths, dims, strict=False)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Four maps, the finest first."""
        x = self.stem(image)
        for block in self.blocks:
            x = x + block(x)
        maps = [x]
        for half, stage in zip(self.halves, self.stages, strict=True):
            x = stage(half(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            maps.append(x)
        return maps

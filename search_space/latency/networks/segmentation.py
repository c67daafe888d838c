"""Segmentation networks of the TopFormer paper's Table 1 whose layers follow from their papers."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from search_space.latency.networks.layers import Squeeze, eighths, inverted, unit
from search_space.latency.networks.mobile import MOBILENET_V2, MOBILENET_V3_LARGE

_FINE = 6
_DILATED_FROM = 5


class LRASPP(nn.Module):
    """LR-ASPP on MobileNetV3-Large at output stride 16 (Howard et al., ICCV 2019, section 6.4).

    Args:
        divisor: Of the channels of the last three blocks, also inside, and of the last convolution; 2 in the reduced
            network, as the section says.
        classes: Channels of the logits.
    """

    def __init__(self, divisor: int = 1, classes: int = 150) -> None:
        super().__init__()
        narrow, last, wide = 672 // divisor, 160 // divisor, 960 // divisor
        widest = ((5, narrow, last, 1, 1, 1), (5, wide, last, 1, 1, 1), (5, wide, last, 1, 1, 1))
        blocks, channels = [unit(3, 16, 3, 2, nn.Hardswish)], 16
        for index, row in enumerate((*MOBILENET_V3_LARGE[:-3], *widest)):
            kernel, hidden, outputs, squeezes, swish, stride = row
            squeeze = Squeeze(hidden, eighths(hidden / 4)) if squeezes else None
            activation = nn.Hardswish if swish else nn.ReLU
            dilation = 2 if index >= len(MOBILENET_V3_LARGE) - 3 else 1
            block = inverted(channels, hidden, outputs, kernel, stride, activation, squeeze=squeeze, dilation=dilation)
            blocks.append(nn.Sequential(block))
            channels = outputs
        self.fine = nn.Sequential(*blocks[: _FINE + 1])
        self.coarse = nn.Sequential(*blocks[_FINE + 1 :], unit(channels, wide, 1, 1, nn.Hardswish))
        self.semantics, self.gate = unit(wide, 128), nn.Conv2d(wide, 128, 1, bias=False)
        self.fine_classes, self.coarse_classes = nn.Conv2d(40, classes, 1), nn.Conv2d(128, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits at 1/8 of the image."""
        fine = self.fine(image)
        coarse = self.coarse(fine)
        gated = self.semantics(coarse) * torch.sigmoid(self.gate(functional.adaptive_avg_pool2d(coarse, 1)))
        resized = functional.interpolate(gated, size=fine.shape[2:], mode="bilinear")
        output: Tensor = self.fine_classes(fine) + self.coarse_classes(resized)
        return output


def lraspp(divisor: int = 1) -> nn.Module:
    """LR-ASPP, or with a divisor of 2 its reduced form."""
    return LRASPP(divisor)


class RASPP(nn.Module):
    """R-ASPP on MobileNetV2 at output stride 16 (Sandler et al., CVPR 2018, section 6.3): a 1x1 and a pooled branch."""

    def __init__(self, classes: int = 150) -> None:
        super().__init__()
        blocks: list[nn.Module] = [unit(3, 32, 3, 2, nn.ReLU6)]
        channels = 32
        for stage, (expansion, outputs, repeats, first, kernel) in enumerate(MOBILENET_V2):
            dilation = 2 if stage >= _DILATED_FROM else 1
            for index in range(repeats):
                stride = 1 if index or dilation == 2 else first
                hidden = channels * expansion
                blocks.append(inverted(channels, hidden, outputs, kernel, stride, nn.ReLU6, dilation=dilation))
                channels = outputs
        self.backbone = nn.Sequential(*blocks)
        self.local, self.pooled = unit(channels, 256), unit(channels, 256)
        self.fuse, self.classes = unit(512, 256), nn.Conv2d(256, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits at 1/16 of the image."""
        x = self.backbone(image)
        pooled = self.pooled(functional.adaptive_avg_pool2d(x, 1))
        resized = functional.interpolate(pooled, size=x.shape[2:], mode="bilinear")
        output: Tensor = self.classes(self.fuse(torch.cat([self.local(x), resized], 1)))
        return output

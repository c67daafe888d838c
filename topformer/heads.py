"""Segmentation heads: from the injected maps to logits at the finest of their scales."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn

from topformer.design import Design, Head
from topformer.layers import ConvUnit, convolution, grid, resize


class SumHead(nn.Module):
    """The maps, resized to the finest grid and added, then fused by a 1x1 convolution, and classified.

    Args:
        width: Channels M of every map.
        classes: Channels of the logits.
        dropout: Probability of the dropout before the classifier.
        groups: Groups of the fuse convolution; `width` makes it depthwise.

    Reference: Zhang et al., TopFormer, CVPR 2022, section 3.4.
    """

    def __init__(self, width: int, classes: int, *, dropout: float, groups: int = 1) -> None:
        super().__init__()
        self.fuse = ConvUnit(width, width, groups=groups, act=nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.classifier = _classifier(width, classes)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(B, classes, H, W) on the grid of the first map, which is the finest."""
        finest, *coarser = maps
        total_BMHW = finest
        for map_BMHW in coarser:
            total_BMHW = total_BMHW + resize(map_BMHW, grid(finest))
        logits: Tensor = self.classifier(self.dropout(self.fuse(total_BMHW)))
        return logits


class ConcatHead(nn.Module):
    """The maps, resized to the finest grid and concatenated, then fused to M channels and classified.

    Args:
        width: Channels M of every map.
        classes: Channels of the logits.
        dropout: Probability of the dropout before the classifier.
        maps: Number of maps.

    Reference: Zhang et al., TopFormer, CVPR 2022, Table 6.
    """

    def __init__(self, width: int, classes: int, *, dropout: float, maps: int) -> None:
        super().__init__()
        self.fuse = ConvUnit(maps * width, width, act=nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.classifier = _classifier(width, classes)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(B, classes, H, W) on the grid of the first map, which is the finest."""
        size = grid(maps[0])
        stacked = torch.cat([resize(map_BMHW, size) for map_BMHW in maps], dim=1)
        logits: Tensor = self.classifier(self.dropout(self.fuse(stacked)))
        return logits


def _classifier(width: int, classes: int) -> nn.Conv2d:
    """A 1x1 convolution with bias that starts near zero, as mmsegmentation starts the classifier of every head."""
    layer = convolution(width, classes)
    nn.init.normal_(layer.weight, std=0.01)
    return layer


HEADS: Mapping[Head, Callable[[Design, float], nn.Module]] = MappingProxyType(
    {
        Head.SUM: lambda design, dropout: SumHead(design.width, design.num_classes, dropout=dropout),
        Head.SUM_DEPTHWISE: lambda design, dropout: SumHead(
            design.width, design.num_classes, dropout=dropout, groups=design.width
        ),
        Head.CONCAT: lambda design, dropout: ConcatHead(
            design.width, design.num_classes, dropout=dropout, maps=len(design.injected)
        ),
    }
)
"""What builds the head of a design, given the probability of its dropout."""


def build_head(design: Design, *, dropout: float) -> nn.Module:
    """The design's head: a sequence of (B, M, H_i, W_i), finest first, to (B, classes, H_0, W_0)."""
    return HEADS[design.head](design, dropout)

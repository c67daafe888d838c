"""Segmentation heads: from the injected maps to logits at the finest of their scales."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn

from topformer.design import Design, Head, reduced_width
from topformer.layers import ConvUnit, convolution, grid, resize


class SumHead(nn.Module):
    """The maps, resized to the finest grid and added, then fused by a 1x1 convolution, and classified.

    Args:
        width: Channels M of every map.
        classes: Channels of the logits.
        dropout: Probability with which a whole channel is dropped before the classifier.
        groups: Groups of the fuse convolution; `width` makes it depthwise.

    Reference: Zhang et al., TopFormer, CVPR 2022, section 3.4.
    """

    def __init__(self, width: int, classes: int, *, dropout: float, groups: int = 1) -> None:
        super().__init__()
        self.fuse = _unit(width, width, groups=groups)
        self.dropout = nn.Dropout2d(dropout)
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
    """Each map reduced by a 1x1 convolution of its own, resized to the finest grid, concatenated and classified.

    The paper reduces, then concatenates. It does not print the reduced width; see `topformer.design.reduced_width`.

    Args:
        width: Channels M of every map.
        classes: Channels of the logits.
        dropout: Probability with which a whole channel is dropped before the classifier.
        maps: Number of maps.

    Reference: Zhang et al., TopFormer, CVPR 2022, Table 6 and the text on it.
    """

    def __init__(self, width: int, classes: int, *, dropout: float, maps: int) -> None:
        super().__init__()
        reduced = reduced_width(width)
        self.reduce = nn.ModuleList(_unit(width, reduced) for _ in range(maps))
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = _classifier(maps * reduced, classes)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(B, classes, H, W) on the grid of the first map, which is the finest."""
        size = grid(maps[0])
        narrow = [reduce(map_BMHW) for reduce, map_BMHW in zip(self.reduce, maps, strict=True)]
        stacked = torch.cat([resize(map_BRHW, size) for map_BRHW in narrow], dim=1)
        logits: Tensor = self.classifier(self.dropout(stacked))
        return logits


def _unit(width: int, outputs: int, *, groups: int = 1) -> ConvUnit:
    """A 1x1 unit with ReLU that starts as mmcv's `ConvModule`, of which the released head is made.

    That is normal with standard deviation sqrt(2 / outputs), whatever the groups: mmcv's `kaiming_init` takes torch's
    fan-out, which does not divide by them. Tiny's depthwise convolution of 128 channels starts at 0.125.
    """
    unit = ConvUnit(width, outputs, groups=groups, act=nn.ReLU())
    nn.init.kaiming_normal_(unit.conv.weight, mode="fan_out", nonlinearity="relu")
    return unit


def _classifier(width: int, classes: int) -> nn.Conv2d:
    """A 1x1 convolution with bias that starts near zero, as mmsegmentation starts the classifier of every head."""
    layer = convolution(width, classes)
    nn.init.normal_(layer.weight, std=0.01)
    return layer


def _sum(design: Design, dropout: float) -> nn.Module:
    return SumHead(design.width, design.num_classes, dropout=dropout)


def _sum_depthwise(design: Design, dropout: float) -> nn.Module:
    return SumHead(design.width, design.num_classes, dropout=dropout, groups=design.width)


def _concat(design: Design, dropout: float) -> nn.Module:
    """With one map there is nothing to concatenate: the head is then that of a sum."""
    maps = len(design.injected)
    if maps == 1:
        return _sum(design, dropout)
    return ConcatHead(design.width, design.num_classes, dropout=dropout, maps=maps)


HEADS: Mapping[Head, Callable[[Design, float], nn.Module]] = MappingProxyType(
    {Head.SUM: _sum, Head.SUM_DEPTHWISE: _sum_depthwise, Head.CONCAT: _concat}
)
"""What builds the head of a design, given the probability of its dropout."""


def build_head(design: Design, *, dropout: float) -> nn.Module:
    """The design's head: a sequence of (B, M, H_i, W_i), finest first, to (B, classes, H_0, W_0).

    Args:
        design: The network.
        dropout: Probability with which a whole channel is dropped before the classifier, as `Dropout2d` does in
            mmsegmentation's heads.
    """
    return HEADS[design.head](design, dropout)

"""Semantics extractors: from pooled tokens to semantics of the same shape.

Shapes: B batch, C channels, H x W grid, N = H * W tokens, h heads, k key width, d value width.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from topformer.design import ASPP_DILATIONS, PPM_BINS, Block, Design, Extractor
from topformer.layers import ConvUnit, convolution, drop_path, drop_path_rates, grid, resize


class Attention(nn.Module):
    """Multi-head self-attention over the tokens of a map, with 1x1 convolutions and BatchNorm for every projection.

    The weight of the last BatchNorm starts at 0, so that a new block passes its input on, and the other convolutions
    learn from the second update on. So does the release: its loop that sets the weights of BatchNorm to 1 asks for
    `BatchNorm2d`, which the SyncBatchNorm of its configurations is not.

    Reference: Zhang et al., TopFormer, CVPR 2022, section 3.2.
    """

    def __init__(self, channels: int, *, heads: int, key_dim: int, value_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = ConvUnit(channels, heads * key_dim)
        self.key = ConvUnit(channels, heads * key_dim)
        self.value = ConvUnit(channels, heads * value_dim)
        self.project = ConvUnit(heads * value_dim, channels, act=nn.ReLU6(), act_first=True)
        nn.init.zeros_(self.project.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Attended tokens of the same shape."""
        q_BhkN = self._split(self.query(x))
        k_BhkN = self._split(self.key(x))
        v_BhdN = self._split(self.value(x))
        # No 1/sqrt(k): the release never applies the factor, and its weights rely on that.
        weights_BhNN = (q_BhkN.transpose(2, 3) @ k_BhkN).softmax(dim=-1)
        # Values on the left give the channels-first order that the projection reads, without a copy.
        y_BhdN = v_BhdN @ weights_BhNN.transpose(2, 3)
        attended: Tensor = self.project(y_BhdN.reshape(x.shape[0], -1, *grid(x)))
        return attended

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], self.heads, x.shape[1] // self.heads, -1)


class FeedForward(nn.Module):
    """Expand, depthwise 3x3 with bias and without BatchNorm, ReLU6, project."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.expand = ConvUnit(channels, hidden)
        self.depthwise = convolution(hidden, hidden, 3, groups=hidden)
        self.act = nn.ReLU6()
        self.project = ConvUnit(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of the same shape."""
        y_BCHW: Tensor = self.project(self.act(self.depthwise(self.expand(x))))
        return y_BCHW


class AttentionBlock(nn.Module):
    """Attention and a feed-forward network, each added to its input; there is no LayerNorm."""

    def __init__(self, channels: int, block: Block, *, drop: float) -> None:
        super().__init__()
        self.attention = Attention(channels, heads=block.heads, key_dim=block.key_dim, value_dim=block.value_dim)
        self.ffn = FeedForward(channels, block.hidden(channels))
        self.drop = drop_path(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of the same shape."""
        attended_BCHW = x + self.drop(self.attention(x))
        y_BCHW: Tensor = attended_BCHW + self.drop(self.ffn(attended_BCHW))
        return y_BCHW


class FeedForwardBlock(nn.Module):
    """Several feed-forward networks in a row, each added to its input: a block without attention."""

    def __init__(self, channels: int, block: Block, *, extra: int, drop: float) -> None:
        super().__init__()
        hidden = block.hidden(channels)
        self.extra = nn.ModuleList(FeedForward(channels, hidden) for _ in range(extra))
        self.ffn = FeedForward(channels, hidden)
        self.drop = drop_path(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of the same shape."""
        for ffn in (*self.extra, self.ffn):
            x = x + self.drop(ffn(x))
        return x


class BlockExtractor(nn.Module):
    """Extractor blocks in a row."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Semantics, of the shape of the pooled tokens."""
        semantics_BCHW: Tensor = self.blocks(x)
        return semantics_BCHW


class PooledBranch(nn.Module):
    """Averages on a fixed grid, reduced by a 1x1 convolution and resized back."""

    def __init__(self, channels: int, width: int, *, bins: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(bins)
        self.reduce = ConvUnit(channels, width, act=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W)."""
        return resize(self.reduce(self.pool(x)), grid(x))


class PyramidPooling(nn.Module):
    """The pyramid pooling module on the pooled tokens: four pooled branches of a quarter of the channels each.

    The branches are concatenated behind the tokens and fused by a 3x3 convolution.

    Reference: Zhao et al., PSPNet, CVPR 2017, section 3.2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = _branch_width(channels)
        self.branches = nn.ModuleList(PooledBranch(channels, width, bins=bins) for bins in PPM_BINS)
        self.fuse = ConvUnit(channels + len(PPM_BINS) * width, channels, 3, act=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Semantics, of the shape of the pooled tokens."""
        semantics_BCHW: Tensor = self.fuse(torch.cat([x, *(branch(x) for branch in self.branches)], dim=1))
        return semantics_BCHW


class AtrousPyramid(nn.Module):
    """Atrous spatial pyramid pooling: a 1x1, three dilated 3x3 and an image-level branch, fused by a 1x1 convolution.

    TopFormer's paper gives no branch width; a quarter of the channels is ours, the same as in `PyramidPooling`.

    Reference: Chen et al., Rethinking atrous convolution (DeepLabV3), 2017, section 3.3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = _branch_width(channels)
        point = ConvUnit(channels, width, act=nn.ReLU())
        atrous = (ConvUnit(channels, width, 3, dilation=dilation, act=nn.ReLU()) for dilation in ASPP_DILATIONS)
        image = PooledBranch(channels, width, bins=1)
        self.branches = nn.ModuleList([point, *atrous, image])
        self.fuse = ConvUnit(len(self.branches) * width, channels, act=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Semantics, of the shape of the pooled tokens."""
        semantics_BCHW: Tensor = self.fuse(torch.cat([branch(x) for branch in self.branches], dim=1))
        return semantics_BCHW


def _branch_width(channels: int) -> int:
    return max(channels // 4, 1)


def _transformer(design: Design, drop: float) -> nn.Module:
    blocks = zip(design.blocks, drop_path_rates(drop, design.depth), strict=True)
    return BlockExtractor(*(AttentionBlock(design.embedding, block, drop=rate) for block, rate in blocks))


def _feed_forward(design: Design, drop: float) -> nn.Module:
    blocks = zip(design.blocks, drop_path_rates(drop, design.depth), strict=True)
    return BlockExtractor(
        *(
            FeedForwardBlock(design.embedding, block, extra=extra, drop=rate)
            for extra, (block, rate) in zip(design.extra_ffns_by_block, blocks, strict=True)
        )
    )


EXTRACTORS: Mapping[Extractor, Callable[[Design, float], nn.Module]] = MappingProxyType(
    {
        Extractor.TRANSFORMER: _transformer,
        Extractor.FFN: _feed_forward,
        Extractor.PPM: lambda design, _drop: PyramidPooling(design.embedding),
        Extractor.ASPP: lambda design, _drop: AtrousPyramid(design.embedding),
        Extractor.NONE: lambda _design, _drop: nn.Identity(),
    }
)
"""What builds the extractor of a design, given the stochastic depth of its last block."""


def build_extractor(design: Design, *, drop: float) -> nn.Module:
    """The design's extractor: (B, embedding, H, W) to the same shape.

    Args:
        design: The network.
        drop: Stochastic depth of the last block; it grows linearly from 0 at the first.
    """
    return EXTRACTORS[design.extractor](design, drop)

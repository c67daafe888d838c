"""The TopFormer network of a Design.

Module paths are fixed, for closed-form costs and checkpoints name operations and tensors by them. A *unit* has the
children `conv`, `norm` and, where there is an activation, `act`.

    backbone.pyramid.stem                               unit, stride 2, ReLU
    backbone.pyramid.rows.{i}.expand                    unit, ReLU; absent when the expansion is 1
                             .depthwise                 unit, ReLU
                             .project                   unit; rows.{i} itself adds the residual
    backbone.pool                                       adaptive average pooling of every map, then concatenation;
                                                        of the last map alone for Pooled.LAST, no concatenation
    backbone.widen                                      unit for Pooled.LAST, else the identity
    backbone.extractor.blocks.{i}.attention.query       unit; also key and value; attention itself runs matmul
                                                        (B,h,N,k) x (B,h,k,N), softmax, matmul (B,h,d,N) x (B,h,N,N)
                                 .attention.project     act (ReLU6) first, then conv and norm
                                 .ffn.expand            unit
                                 .ffn.depthwise         convolution 3x3 with bias
                                 .ffn.act               ReLU6
                                 .ffn.project           unit; blocks.{i} itself adds the residuals
                                 .extra.{j}             like ffn, in the place of attention, for Extractor.FFN
    backbone.extractor.branches.{i}.pool, .reduce       PPM: bins 1, 2, 3, 6; reduce is a unit with ReLU;
                                                        branches.{i} itself resizes back to the pooled grid
    backbone.extractor.branches.{0..3}                  ASPP: units with ReLU, 1x1 and 3x3 of dilation 6, 12, 18
    backbone.extractor.branches.4.pool, .reduce         ASPP: image level, as in PPM
    backbone.extractor.fuse                             PPM, ASPP: unit with ReLU, behind the extractor's concatenation
    backbone.injection.scales.{i}.local, .gate, .info   units; gate has act (Hardsigmoid); i counts injected scales;
                                                        scales.{i} itself resizes, multiplies and adds;
                                                        GATE_SUM_CBR: ReLU in local and info, gate without norm
    head.fuse                                           unit with ReLU; head itself resizes and adds
    head.reduce.{i}                                     CONCAT, in the place of fuse: units with ReLU, one per injected
                                                        scale; head itself resizes and concatenates; one scale: fuse
    head.dropout, head.classifier                       classifier: 1x1 convolution with bias

A resize (bilinear, align_corners False) is skipped where the grids already agree; pooling never is.

In training, torch's BatchNorm refuses a map with a single value per channel and says so with its shape: that is
batch 1 together with a pooled grid of 1 x 1 (images of up to `pool_stride` px) or with the one-cell branch of
PPM and ASPP. Train these with at least two images, or with BatchNorm synchronised over several devices.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from topformer.design import SCALES, Design, Pooled
from topformer.extractor import build_extractor
from topformer.heads import build_head
from topformer.injection import SemanticsInjection
from topformer.layers import ConvUnit, check_probability, grid
from topformer.pyramid import TokenPyramid


class TokenPool(nn.Module):
    """Averages of all token maps on one grid, concatenated.

    Args:
        stride: Reduction of the coarsest map's grid, rounded up.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, tokens: Sequence[Tensor]) -> Tensor:
        """(B, sum of C_i, ceil(H_last / stride), ceil(W_last / stride))."""
        size = self._size(tokens)
        return torch.cat([functional.adaptive_avg_pool2d(map_BCHW, size) for map_BCHW in tokens], dim=1)

    def _size(self, tokens: Sequence[Tensor]) -> tuple[int, int]:
        height, width = grid(tokens[-1])
        return (height + self.stride - 1) // self.stride, (width + self.stride - 1) // self.stride


class LastTokenPool(TokenPool):
    """Averages of the coarsest token map alone."""

    def forward(self, tokens: Sequence[Tensor]) -> Tensor:
        """(B, C_last, ceil(H_last / stride), ceil(W_last / stride))."""
        return functional.adaptive_avg_pool2d(tokens[-1], self._size(tokens))


class Trunk(nn.Module):
    """Token pyramid and semantics extractor of a design: all that an ImageNet checkpoint holds.

    Args:
        design: The network; the fields of injection and head are not used.
        drop_path: Stochastic depth of the last extractor block; it grows linearly from 0 at the first.
    """

    widen: nn.Module

    def __init__(self, design: Design, *, drop_path: float = 0.1) -> None:
        super().__init__()
        check_probability("drop_path", drop_path)
        stride = design.pool_stride // SCALES[-1]
        self.pyramid = TokenPyramid(design.stem, design.rows, design.taps)
        if design.pooled is Pooled.ALL:
            self.pool = TokenPool(stride)
            self.widen = nn.Identity()
        else:
            self.pool = LastTokenPool(stride)
            self.widen = ConvUnit(design.tap_channels[-1], design.embedding)
        self.extractor = build_extractor(design, drop=drop_path)

    def semantics(self, tokens: Sequence[Tensor]) -> Tensor:
        """Semantics of the token maps: (B, embedding, h, w) on the pooled grid."""
        semantics_BChw: Tensor = self.extractor(self.widen(self.pool(tokens)))
        return semantics_BChw


class Backbone(Trunk):
    """Token pyramid, semantics extractor and semantics injection of a design.

    Args:
        design: The network; the head's fields are not used.
        drop_path: Stochastic depth of the last extractor block; it grows linearly from 0 at the first.
    """

    def __init__(self, design: Design, *, drop_path: float = 0.1) -> None:
        super().__init__(design, drop_path=drop_path)
        chosen = [SCALES.index(scale) for scale in design.injected]
        self.injection = SemanticsInjection(design.injection, design.tap_channels, chosen, design.width)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Injected maps of an image (B, 3, H, W), finest first; each is (B, M, H_i, W_i)."""
        tokens = self.pyramid(image)
        injected: tuple[Tensor, ...] = self.injection(tokens, self.semantics(tokens))
        return injected


class TopFormer(nn.Module):
    """The whole segmentation network of a design, initialised as the release starts its training from nothing.

    That is: convolutions normal around 0 with variance 2 / (kernel^2 * outputs / groups), the head's with 2 / outputs
    and the classifier's with 0.01^2; biases 0; BatchNorm 1 and 0, but for the projection of attention, whose weight
    is 0. Sources: `init_weights` of mmseg/models/backbones/topformer.py (github.com/hustvl/TopFormer), and for the
    head mmcv's `ConvModule` and mmsegmentation's `BaseDecodeHead`, from which the released head inherits.

    Channels and ratios are taken literally from the design. Any image of at least 32 x 32 px will do.

    Args:
        design: The network.
        drop_path: Stochastic depth of the last extractor block; it grows linearly from 0 at the first.
        dropout: Probability with which a whole channel is dropped before the classifier.

    Raises:
        InputError: `drop_path` or `dropout` is outside [0, 1).

    Reference: Zhang et al., TopFormer: Token Pyramid Transformer for Mobile Semantic Segmentation, CVPR 2022.
    """

    def __init__(self, design: Design, *, drop_path: float = 0.1, dropout: float = 0.1) -> None:
        super().__init__()
        check_probability("dropout", dropout)
        self.design = design
        self.backbone = Backbone(design, drop_path=drop_path)
        self.head = build_head(design, dropout=dropout)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of an image (B, 3, H, W): (B, classes, ceil(H / f), ceil(W / f)), f the finest injected reduction."""
        logits: Tensor = self.head(self.backbone(image))
        return logits

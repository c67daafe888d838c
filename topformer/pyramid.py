"""The token pyramid: a stem and inverted residual rows, four of which give the token maps."""

from collections.abc import Sequence

from torch import Tensor, nn

from topformer.design import Bottleneck, Stem
from topformer.layers import ConvUnit


class InvertedResidual(nn.Sequential):
    """One row: expand (left out for expansion 1), depthwise, project.

    Reference: Sandler et al., MobileNetV2, CVPR 2018.
    """

    def __init__(self, inputs: int, row: Bottleneck) -> None:
        super().__init__()
        hidden = inputs * row.expand
        if row.expand > 1:
            self.expand = ConvUnit(inputs, hidden, act=nn.ReLU())
        self.depthwise = ConvUnit(hidden, hidden, row.kernel, stride=row.stride, groups=hidden, act=nn.ReLU())
        self.project = ConvUnit(hidden, row.channels)


class InvertedResidualWithShortcut(InvertedResidual):
    """A row of stride 1 with as many outputs as inputs; its input is added to its output."""

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of the same shape."""
        y_BCHW = x
        for unit in self:
            y_BCHW = unit(y_BCHW)
        return x + y_BCHW


def _inverted_residual(inputs: int, row: Bottleneck) -> InvertedResidual:
    residual = row.stride == 1 and inputs == row.channels
    return InvertedResidualWithShortcut(inputs, row) if residual else InvertedResidual(inputs, row)


class TokenPyramid(nn.Module):
    """Token maps at 1/4, 1/8, 1/16 and 1/32 of the image, each side rounded up.

    Channel counts are taken as they stand in the rows, without rounding to multiples of 8; those of the
    published rows are such multiples already. ReLU throughout, as in the release; the paper's text says ReLU6.

    Reference: Zhang et al., TopFormer, CVPR 2022, section 3.1.
    """

    def __init__(self, stem: Stem, rows: Sequence[Bottleneck], taps: Sequence[int]) -> None:
        super().__init__()
        self.stem = ConvUnit(3, stem.channels, stem.kernel, stride=2, act=nn.ReLU())
        inputs = (stem.channels, *(row.channels for row in rows))
        self.rows = nn.ModuleList(
            _inverted_residual(channels, row) for channels, row in zip(inputs, rows, strict=False)
        )
        self.taps = frozenset(taps)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Token maps of an image (B, 3, H, W), finest first.

        Item i is (B, C_i, ceil(H / 2^(i+2)), ceil(W / 2^(i+2))).
        """
        x_BCHW = self.stem(image)
        tokens = []
        for number, row in enumerate(self.rows):
            x_BCHW = row(x_BCHW)
            if number in self.taps:
                tokens.append(x_BCHW)
        return tuple(tokens)

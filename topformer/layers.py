"""The small parts that the whole network is made of: convolution units, resizing, stochastic depth."""

from collections.abc import Iterator
from math import sqrt

from torch import Tensor, nn
from torch.nn import functional

from topformer.errors import InputError


def convolution(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = True,
) -> nn.Conv2d:
    """A convolution that keeps the grid, or divides it by `stride`, rounded up; `kernel` is odd.

    Starts as every convolution of the released backbone: normal with mean 0 and standard deviation
    sqrt(2 / (kernel^2 * outputs / groups)), bias 0 (`init_weights` in mmseg/models/backbones/topformer.py,
    github.com/hustvl/TopFormer, commit 24b7bec).
    """
    conv = nn.Conv2d(
        inputs,
        outputs,
        kernel,
        stride=stride,
        padding=dilation * (kernel // 2),
        dilation=dilation,
        groups=groups,
        bias=bias,
    )
    nn.init.normal_(conv.weight, 0.0, sqrt(2 * groups / (kernel**2 * outputs)))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class ConvUnit(nn.Sequential):
    """A convolution without bias, BatchNorm that starts with weight 1 and bias 0, and perhaps an activation.

    Children are `conv`, `norm` and, where there is an activation, `act`.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        kernel: Side of the kernel, odd.
        stride: Step of the kernel.
        dilation: Step between the taps of the kernel.
        groups: Groups of the convolution; `inputs` makes it depthwise.
        act: The activation, a module of its own.
        act_first: Whether the activation stands before the convolution.
    """

    conv: nn.Conv2d
    norm: nn.BatchNorm2d

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        act: nn.Module | None = None,
        act_first: bool = False,
    ) -> None:
        super().__init__()
        if act is not None and act_first:
            self.act = act
        self.conv = convolution(inputs, outputs, kernel, stride=stride, dilation=dilation, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        if act is not None and not act_first:
            self.act = act


class BiasConvUnit(nn.Sequential):
    """A 1x1 convolution with bias and an activation, without BatchNorm; children are `conv` and `act`."""

    def __init__(self, inputs: int, outputs: int, *, act: nn.Module) -> None:
        super().__init__()
        self.conv = convolution(inputs, outputs)
        self.act = act


class DropPath(nn.Module):
    """Stochastic depth: in training, each sample of a residual branch is dropped with a probability.

    Survivors are divided by the probability of surviving, so that evaluation needs no factor.

    Reference: Huang et al., Deep networks with stochastic depth, ECCV 2016.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def extra_repr(self) -> str:
        """The probability, as `print` shows it."""
        return f"probability={self.probability:g}"

    def forward(self, branch: Tensor) -> Tensor:
        """The branch (B, C, H, W), with whole samples set to 0 in training."""
        if not self.training:
            return branch
        ones_B111 = branch.new_ones((branch.shape[0], 1, 1, 1))
        return branch * functional.dropout(ones_B111, self.probability)


def drop_path(probability: float) -> nn.Module:
    """Stochastic depth, or the identity where nothing is dropped."""
    return DropPath(probability) if probability > 0 else nn.Identity()


def drop_path_rates(last: float, depth: int) -> Iterator[float]:
    """Probabilities of the blocks: linear from 0 at the first to `last` at the last; a single block drops nothing."""
    return (last * i / max(depth - 1, 1) for i in range(depth))


def check_probability(name: str, value: float) -> None:
    """`value` lies in [0, 1).

    Raises:
        InputError: It does not.
    """
    if not 0 <= value < 1:
        raise InputError(f"{name} must be at least 0 and below 1, got {value!r}")


def grid(x: Tensor) -> tuple[int, int]:
    """Height and width of a map (B, C, H, W)."""
    return x.shape[2], x.shape[3]


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """A map (B, C, H, W) on another grid, bilinear with `align_corners=False`; as it is when the grids agree."""
    if grid(x) == size:
        return x
    return functional.interpolate(x, size, mode="bilinear", align_corners=False)

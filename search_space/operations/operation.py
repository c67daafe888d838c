"""An Operation: one step of a network's forward pass, as every cost sees it.

The closed form of a Design and the walk of any built nn.Module give the same tuples; parameters, MACs, bytes
and milliseconds are folds over them. Both keep these conventions:

- Batch 1, eval mode, in order of execution. The image is tensor 0 and step i, counted from 0, writes tensor i + 1.
- What moves no data is no step: reshape, transpose, split, slice, flatten, dropout. A read of a view names the
  tensor behind the view, with the shape of the view; a head's slice of the semantics is such a read.
- Inputs stand in the order of the call, without weights and without scalars: `a + b` reads (a, b).
- Names: conv2d, batch_norm, relu, relu6, hardsigmoid, add, mul, matmul, softmax, avg_pool, bilinear, cat.
  A hard sigmoid is one step however it is written. A pooling that the network calls is a step even where the grid
  stays; a resize is none there, because the network then does not call it.
- Adaptive pooling has no uniform window: its kernel and stride stay (1, 1).
"""

from enum import StrEnum
from math import prod
from typing import NamedTuple

Shape = tuple[int, ...]

FP32 = "float32"
"""The format of numbers that every closed form means."""


class Kind(StrEnum):
    """What a step computes."""

    CONV = "conv"
    MATMUL = "matmul"
    NORM = "norm"
    ACTIVATION = "activation"
    ELEMENTWISE = "elementwise"
    SOFTMAX = "softmax"
    POOL = "pool"
    RESIZE = "resize"
    CONCAT = "concat"
    UNKNOWN = "unknown"


class Operation(NamedTuple):
    """One step: what it computes, where in the network, on which shapes.

    Attributes:
        kind: What it computes.
        name: What exactly, such as `conv2d`, `relu6`, `hardsigmoid`, `add`, `mul`, `bilinear`, `gelu`.
        module: Dotted path of the innermost module that runs it; "" for the network itself.
        inputs: Shapes of the activations it reads; weights are not inputs.
        output: Shape of the activation it writes.
        reads: Number of the tensor behind each input; the image is 0.
        writes: Number of the tensor it writes.
        parameters: Trainable numbers it uses: weight and bias.
        kernel: Kernel height and width of a convolution or pooling window.
        stride: Its stride.
        dilation: Its dilation.
        groups: Groups of a convolution.
        multiplied: Multiply-accumulates, where window and shapes do not give them: transposed and three-dimensional
            convolutions, recurrent layers.
        dtype: Format of its numbers, by the name that torch gives it.
    """

    kind: Kind
    name: str
    module: str
    inputs: tuple[Shape, ...]
    output: Shape
    reads: tuple[int, ...] = ()
    writes: int = -1
    parameters: int = 0
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    multiplied: int | None = None
    dtype: str = FP32

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a convolution or matrix product; 0 for every other kind."""
        if self.multiplied is not None:
            return self.multiplied
        if self.kind is Kind.CONV:
            return prod(self.output) * prod(self.kernel) * self.inputs[0][1] // self.groups
        if self.kind is Kind.MATMUL:
            return prod(self.output) * self.inputs[0][-1]
        return 0

    @property
    def depthwise(self) -> bool:
        """Whether it is a convolution with one input channel per group."""
        return self.kind is Kind.CONV and self.groups > 1 and self.groups == self.inputs[0][1]

"""The operation recorder: the operations of one part of a network, written down in order of execution."""

from collections.abc import Sequence
from typing import NamedTuple

from search_space.operations.operation import Kind, Operation, Shape

Grid = tuple[int, int]
"""Height and width of a feature map."""


class Value(NamedTuple):
    """An activation that a part reads or writes: the number of its tensor, and the shape it is read with."""

    number: int
    shape: Shape

    @property
    def channels(self) -> int:
        """Channels of a feature map."""
        return self.shape[1]

    @property
    def grid(self) -> Grid:
        """Height and width of a feature map."""
        return self.shape[2], self.shape[3]


class OperationRecorder:
    """Writes the operations of one part; its inputs are the tensors 0, 1, ... and step i writes the i-th after them.

    Modules are paths below the part; "" is the part itself. Every method returns what its last step writes.
    """

    def __init__(self, *inputs: Shape) -> None:
        self.inputs = tuple(Value(number, shape) for number, shape in enumerate(inputs))
        self.steps: list[Operation] = []

    def conv(
        self,
        x: Value,
        channels: int,
        module: str,
        *,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> Value:
        """A convolution with an odd kernel, padded so that only the stride reduces the grid (rounded up)."""
        _, inputs, height, width = x.shape
        output = (1, channels, -(-height // stride), -(-width // stride))
        parameters = channels * inputs // groups * kernel * kernel + channels * bias
        number = len(self.inputs) + len(self.steps)
        self.steps.append(
            Operation(
                Kind.CONV,
                "conv2d",
                module,
                (x.shape,),
                output,
                (x.number,),
                number,
                parameters,
                (kernel, kernel),
                (stride, stride),
                (dilation, dilation),
                groups,
            )
        )
        return Value(number, output)

    def norm(self, x: Value, module: str) -> Value:
        """A batch normalisation with scale and shift."""
        return self._step(Kind.NORM, "batch_norm", module, (x,), x.shape, 2 * x.channels)

    def activation(self, x: Value, name: str, module: str) -> Value:
        """An activation: relu, relu6 or hardsigmoid."""
        return self._step(Kind.ACTIVATION, name, module, (x,), x.shape)

    def unit(
        self,
        x: Value,
        channels: int,
        module: str,
        activation: str = "",
        *,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> Value:
        """Convolution, batch normalisation and, if named, an activation."""
        below = f"{module}." if module else ""
        x = self.conv(x, channels, f"{below}conv", kernel=kernel, stride=stride, dilation=dilation, groups=groups)
        x = self.norm(x, f"{below}norm")
        return self.activation(x, activation, f"{below}act") if activation else x

    def add(self, a: Value, b: Value, module: str) -> Value:
        """Element-wise sum of two tensors of one shape."""
        return self._step(Kind.ELEMENTWISE, "add", module, (a, b), a.shape)

    def mul(self, a: Value, b: Value, module: str) -> Value:
        """Element-wise product of two tensors of one shape."""
        return self._step(Kind.ELEMENTWISE, "mul", module, (a, b), a.shape)

    def matmul(self, a: Value, b: Value, module: str) -> Value:
        """Batched matrix product."""
        return self._step(Kind.MATMUL, "matmul", module, (a, b), (*a.shape[:-1], b.shape[-1]))

    def softmax(self, x: Value, module: str) -> Value:
        """Softmax over the last dimension."""
        return self._step(Kind.SOFTMAX, "softmax", module, (x,), x.shape)

    def pool(self, x: Value, grid: Grid, module: str) -> Value:
        """Adaptive average pooling to `grid`."""
        return self._step(Kind.POOL, "avg_pool", module, (x,), (1, x.channels, *grid))

    def resize(self, x: Value, grid: Grid, module: str) -> Value:
        """Bilinear interpolation to `grid`; no step where the grids agree already."""
        if x.grid == grid:
            return x
        return self._step(Kind.RESIZE, "bilinear", module, (x,), (1, x.channels, *grid))

    def concat(self, values: Sequence[Value], module: str) -> Value:
        """Concatenation of the channels."""
        channels = sum(value.channels for value in values)
        return self._step(Kind.CONCAT, "cat", module, values, (1, channels, *values[0].grid))

    def _step(
        self, kind: Kind, name: str, module: str, reads: Sequence[Value], output: Shape, parameters: int = 0
    ) -> Value:
        number = len(self.inputs) + len(self.steps)
        shapes = tuple(value.shape for value in reads)
        numbers = tuple(value.number for value in reads)
        self.steps.append(Operation(kind, name, module, shapes, output, numbers, number, parameters))
        return Value(number, output)

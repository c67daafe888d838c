"""Operations as the kernels of a deployed graph: batch normalisation folded, ReLU fused, work counted."""

from collections.abc import Iterable
from math import ceil, prod
from typing import NamedTuple

from search_space.operations.operation import Kind, Operation

BYTES = 4
"""Bytes of one fp32 number."""

WINOGRAD_TILES = (2, 4)
"""Sides of the output tiles of Winograd's algorithm (Lavin and Gray, CVPR 2016) that a kernel chooses from."""

WINOGRAD_CHANNELS = 16
"""Input channels from which an engine takes Winograd for a dense 3x3 convolution of stride 1."""

WINOGRAD_GAIN = 1.1
"""Factor of work from which it is worth its cache misses; so TNN decides (arm_conv_layer_3x3.cc, commit 31c0b51)."""

LANES = 4
"""Channels are computed in groups of as many."""

DEPTHWISE_OUTPUT = 14
"""Cost of an output of a depthwise convolution in MACs, beside one for each of its MACs: loads, borders, the store.

So a MAC of a 3x3 window costs 2.6 of those of a matrix product: 700 / 276 by instructions of ncnn's aarch64 fp32 build,
counted under emulation on nine networks. Larger windows share it; on the shipped devices whole families are predicted
alike for 5 to 31 (left out, mean of six devices: 7.4 to 7.6 %). The published times of TopFormer cannot tell it: their
depthwise MACs and their bytes grow together.
"""

_RANKS = {
    "conv_transpose1d": "transposed ",
    "conv_transpose2d": "transposed ",
    "conv_transpose3d": "transposed 3d ",
    "conv3d": "3d ",
}
"""What stands before the name of a convolution that is no plain one over a plane."""

BYTES_ALONE = frozenset(
    {
        *("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "roll", "flip", "repeat"),
        *("constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d"),
        *("im2col", "index_select", "slice_scatter", "select_scatter", "fill", "masked_fill", "tril", "triu"),
        *("sum", "amax", "amin", "max", "min", "argmax", "argmin", "var", "std", "var_mean", "linalg_vector_norm"),
        *("eq", "ne", "gt", "lt", "ge", "le", "logical_and", "logical_or", "logical_not", "floor", "ceil", "round"),
        *("sign", "reciprocal", "log", "sin", "cos", "erf", "clamp_max", "addcmul", "lerp", "square"),
    }
)
"""Operations that rearrange numbers, or do a fixed amount with each: no counter has a rule for them, and for their time
the bytes are one."""

_FUSED = frozenset({"relu", "relu6"})


class Kernel(NamedTuple):
    """One kernel of a deployed graph, or a sum of kernels of one name.

    Attributes:
        name: What is computed, such as `conv 1x1`, `depthwise 5x5`, `winograd 3x3`, `softmax`.
        module: Where in the network.
        macs: Multiply-accumulates.
        moved: Bytes read and written in fp32, weights included; never 0.
        largest: Numbers in the largest output.
        ruled: False for an operation that is known by its name alone; how long it takes has no upper bound.
        number: How many kernels it is the sum of.
        extra: Work beyond its MACs; less than 0 where Winograd's algorithm saves some.
    """

    name: str
    module: str
    macs: int
    moved: int
    largest: int
    ruled: bool = True
    number: int = 1
    extra: int = 0

    @property
    def winograd(self) -> bool:
        """Whether an engine computes it by Winograd's algorithm."""
        return self.name.startswith("winograd")

    @property
    def work(self) -> int:
        """MACs in units of those of a matrix product, by the kernel's algorithm."""
        return self.macs + self.extra


def kernels(operations: Iterable[Operation]) -> list[Kernel]:
    """The kernels that an inference engine runs for the operations.

    A batch normalisation that follows a convolution is part of its weights, and a ReLU or ReLU6 after it is done
    while its output is still in registers; neither is a kernel. Everything else is.
    """
    # Kind of the kernel that writes each tensor: what follows a convolution is folded or fused into it, step by step.
    writers: dict[int, Kind] = {}
    graph = []
    for step in operations:
        after = writers.get(step.reads[0]) if step.reads else None
        folded = step.name == "batch_norm" and after is Kind.CONV
        fused = step.name in _FUSED and after is Kind.CONV
        writers[step.writes] = Kind.CONV if folded else step.kind
        if not (folded or fused):
            graph.append(_kernel(step))
    return graph


def _kernel(step: Operation) -> Kernel:
    numbers = sum(map(prod, step.inputs)) + prod(step.output) + step.parameters
    products = _winograd(step)
    extra = DEPTHWISE_OUTPUT * prod(step.output) if step.kind is Kind.CONV and step.depthwise else 0
    return Kernel(
        name=_name(step, winograd=products is not None),
        module=step.module,
        macs=step.macs,
        moved=BYTES * numbers,
        largest=prod(step.output),
        ruled=step.kind is not Kind.UNKNOWN or step.name in BYTES_ALONE,
        extra=extra if products is None else products - step.macs,
    )


def _name(step: Operation, *, winograd: bool) -> str:
    height, width = step.kernel
    window = f" {height}x{width}"
    if step.kind is not Kind.CONV:
        return step.name if step.kernel == (1, 1) else step.name + window
    if step.depthwise:
        family = "depthwise"
    elif step.groups > 1:
        family = "grouped"
    else:
        family = "winograd" if winograd else "conv"
    return _RANKS.get(step.name, "") + family + window + ("" if step.dilation == (1, 1) else " dilated")


def less_work_padded(step: Operation) -> bool:
    """Whether a convolution has too few input channels for Winograd's algorithm, and more would be less work."""
    few = _may_take_winograd(step) and step.inputs[0][1] < WINOGRAD_CHANNELS
    return few and _winograd_work(step, WINOGRAD_CHANNELS) * WINOGRAD_GAIN <= step.macs


def _winograd(step: Operation) -> int | None:
    """Work of a 3x3 convolution by Winograd's algorithm: transforms and products; None where it is not taken."""
    if not _may_take_winograd(step) or step.inputs[0][1] < WINOGRAD_CHANNELS:
        return None
    work = _winograd_work(step, step.inputs[0][1])
    return work if work * WINOGRAD_GAIN <= step.macs else None


def _may_take_winograd(step: Operation) -> bool:
    plain = step.kernel == (3, 3) and step.stride == (1, 1) and step.dilation == (1, 1) and step.groups == 1
    return step.name == "conv2d" and plain


def _winograd_work(step: Operation, inputs: int) -> int:
    """Of the convolution with so many input channels, by the better of the tiles."""
    # Engines pad channels to whole groups of lanes, and compute the padding too.
    batch, outputs, height, width = step.output
    padded_inputs, padded_outputs = (LANES * ceil(channels / LANES) for channels in (inputs, outputs))
    return min(
        batch * ceil(height / tile) * ceil(width / tile) * _tile_work(tile, padded_inputs, padded_outputs)
        for tile in WINOGRAD_TILES
    )


def _tile_work(tile: int, inputs: int, outputs: int) -> int:
    """Of one tile: its input transformed, as many products as it has numbers, the output transformed back."""
    side = tile + 2
    return 2 * side**3 * inputs + side**2 * inputs * outputs + 2 * side * tile**2 * outputs

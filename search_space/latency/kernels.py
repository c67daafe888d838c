"""Operations as the kernels of a deployed graph: batch normalisation folded, ReLU fused, work counted."""

from collections.abc import Iterable
from math import prod
from typing import NamedTuple

from search_space.cost.operation import Kind, Operation

BYTES = 4
"""Bytes of one fp32 number."""

WINOGRAD = 2.25
"""Multiplications that Winograd's F(2x2, 3x3) saves: 36 become 16 (Lavin and Gray, CVPR 2016)."""

WINOGRAD_CHANNELS = 16
"""Input channels from which an engine takes Winograd for a dense 3x3 convolution of stride 1."""

DEPTHWISE = 700 / 276
"""Cost of a depthwise MAC in MACs of a matrix product.

Millions of instructions per GMAC in ncnn's aarch64 fp32 build, counted under emulation on nine networks. The
published times of TopFormer cannot tell it: their depthwise MACs and their bytes grow together.
"""

_FUSED = frozenset({"relu", "relu6"})


class Kernel(NamedTuple):
    """One kernel of a deployed graph, or a sum of kernels of one name.

    Attributes:
        name: What is computed, such as `conv 1x1`, `depthwise 5x5`, `winograd 3x3`, `softmax`.
        module: Where in the network.
        macs: Multiply-accumulates.
        moved: Bytes read and written in fp32, weights included; never 0.
        largest: Numbers in the largest output.
        ruled: False for an operation that is known by its name alone.
        number: How many kernels it is the sum of.
    """

    name: str
    module: str
    macs: int
    moved: int
    largest: int
    ruled: bool = True
    number: int = 1

    @property
    def winograd(self) -> bool:
        """Whether an engine computes it by Winograd's algorithm."""
        return self.name.startswith("winograd")

    @property
    def work(self) -> float:
        """MACs in units of those of a matrix product, by the kernel's algorithm."""
        if self.winograd:
            return self.macs / WINOGRAD
        return self.macs * DEPTHWISE if self.name.startswith("depthwise") else float(self.macs)


def kernels(operations: Iterable[Operation]) -> list[Kernel]:
    """The kernels that an inference engine runs for the operations.

    A batch normalisation that follows a convolution is part of its weights, and a ReLU or ReLU6 after it is done
    while its output is still in registers; neither is a kernel. Everything else is.
    """
    made: dict[int, Kind] = {}
    found = []
    for step in operations:
        after = made.get(step.reads[0]) if step.reads else None
        folded = step.name == "batch_norm" and after is Kind.CONV
        fused = step.name in _FUSED and after is Kind.CONV
        made[step.writes] = Kind.CONV if folded else step.kind
        if not (folded or fused):
            found.append(_kernel(step))
    return found


def _kernel(step: Operation) -> Kernel:
    numbers = sum(map(prod, step.inputs)) + prod(step.output) + step.parameters
    return Kernel(
        name=_name(step),
        module=step.module,
        macs=step.macs,
        moved=BYTES * numbers,
        largest=prod(step.output),
        ruled=step.kind is not Kind.UNKNOWN,
    )


def _name(step: Operation) -> str:
    height, width = step.kernel
    window = f" {height}x{width}"
    if step.kind is not Kind.CONV:
        return step.name if step.kernel == (1, 1) else step.name + window
    if step.depthwise:
        family = "depthwise"
    elif step.groups > 1:
        family = "grouped"
    else:
        family = "winograd" if _winograd(step) else "conv"
    return family + window + ("" if step.dilation == (1, 1) else " dilated")


def _winograd(step: Operation) -> bool:
    plain = step.kernel == (3, 3) and step.stride == (1, 1) and step.dilation == (1, 1)
    return plain and step.inputs[0][1] >= WINOGRAD_CHANNELS

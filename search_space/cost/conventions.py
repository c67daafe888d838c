"""The conventions by which operations are counted: MACs in three ways, and peak activation memory."""

from collections.abc import Collection, Mapping, Sequence
from math import prod
from typing import NamedTuple

from search_space.operations.operation import Kind, Operation
from topformer.errors import UnknownOperator

BYTES = 4
"""Bytes of one fp32 number."""

IN_PLACE = frozenset({Kind.NORM, Kind.ACTIVATION})
"""Kinds that leave no tensor of their own: batch normalisation is folded, activations overwrite their input."""

_PER_OUTPUT: Mapping[str, int] = {"batch_norm": 2, "layer_norm": 5, "group_norm": 5, "bilinear": 4, "nearest": 1}
_PAPER: Mapping[Kind, int] = {Kind.NORM: 2, Kind.ACTIVATION: 1}


class Quantities(NamedTuple):
    """What a list of operations costs; MACs by the conventions of `macs_fvcore` and `macs_paper`."""

    parameters: int
    macs: int
    macs_conv_matmul: int
    macs_paper_convention: int
    peak_activation_bytes: int


def macs_fvcore(step: Operation) -> int:
    """What fvcore 0.1.5 counts for the step (`fvcore.nn.flop_count`, its default handles).

    Convolutions and matrix products exactly, 2 per element of a batch normalisation with scale and shift, 4 per
    output of a bilinear resize, 1 per input of an adaptive average pooling; element-wise steps, activations,
    softmax and concatenation are left out.

    Raises:
        UnknownOperator: The step is of kind unknown.
    """
    if step.kind is Kind.CONV or step.kind is Kind.MATMUL:
        return step.macs
    _check_known(step)
    if step.name == "avg_pool":
        return prod(step.inputs[0])
    return _PER_OUTPUT.get(step.name, 0) * prod(step.output)


def macs_paper(step: Operation) -> int:
    """The convention that reproduces the figures of the TopFormer paper.

    Convolutions with 1 more per output where there is a bias, 2 per element of a batch normalisation, 1 per element
    of an activation; no matrix products, no interpolation. It is what mmcv's `get_model_complexity_info`, the counter
    of mmsegmentation, sees: modules, and no functional calls. The paper does not state it; its figures follow from it.

    Raises:
        UnknownOperator: The step is of kind unknown.
    """
    if step.kind is Kind.CONV:
        return step.macs + prod(step.output) * has_bias(step)
    _check_known(step)
    return _PAPER.get(step.kind, 0) * prod(step.output)


def has_bias(step: Operation) -> bool:
    """Whether a convolution has more parameters than its kernels."""
    channels = step.inputs[0][1]
    return step.parameters > step.output[1] * channels // step.groups * prod(step.kernel)


def _check_known(step: Operation) -> None:
    if step.kind is Kind.UNKNOWN:
        raise UnknownOperator(f"no counting rule for {step.name!r} in {step.module or 'the network'!r}")


def measure(
    operations: Sequence[Operation], inputs: Mapping[int, int] | None = None, read_later: Collection[int] = ()
) -> Quantities:
    """Parameters, MACs and peak memory of the operations of one network, or of one part of it.

    Args:
        operations: In order of execution.
        inputs: As for `peak_activation_bytes`.
        read_later: As for `peak_activation_bytes`.

    Raises:
        UnknownOperator: One of them is of kind unknown.
    """
    return Quantities(
        parameters=sum(step.parameters for step in operations),
        macs=sum(map(macs_fvcore, operations)),
        macs_conv_matmul=sum(step.macs for step in operations),
        macs_paper_convention=sum(map(macs_paper, operations)),
        peak_activation_bytes=peak_activation_bytes(operations, inputs, read_later),
    )


def peak_activation_bytes(
    operations: Sequence[Operation], inputs: Mapping[int, int] | None = None, read_later: Collection[int] = ()
) -> int:
    """Largest sum of the fp32 tensors that are alive at once while one image is inferred.

    The graph is the deployed one: batch normalisation is folded into its convolution and an activation overwrites
    its input, so neither makes a tensor, unless the input is read again later. A tensor is alive from the step
    that writes it to the last step that reads it, both included; the image is alive from the start. A view shares
    the tensor behind it, all of it. Weights and an engine's own scratch memory (im2col, Winograd tiles) are not
    part of the sum, nor is any saving that an engine makes by adding or concatenating in place.

    Args:
        operations: In order of execution.
        inputs: Bytes of tensors that exist before the first step, by number; the default is the image, whose size
            is that of its first reading.
        read_later: Inputs that outlive the last step.
    """
    last = {number: index for index, step in enumerate(operations) for number in step.reads}
    last.update(dict.fromkeys(read_later, len(operations)))
    exist = _image(operations) if inputs is None else inputs
    size = {number: count for number, count in exist.items() if number in last}
    # Tensors that share memory go by the number of the first of them; `ends` holds the last step that needs it.
    memory: dict[int, int] = {}
    ends = {number: last[number] for number in size}
    alive = peak = sum(size.values())
    for index, step in enumerate(operations):
        # Only what this step touches can have died with it.
        touched = {memory.get(number, number) for number in step.reads}
        first, end = memory.get(step.reads[0], step.reads[0]), last.get(step.writes, index)
        # In place, unless the input is needed again: then the result takes memory of its own.
        if step.kind in IN_PLACE and ends[first] <= index:
            memory[step.writes] = first
            ends[first] = end
        else:
            touched.add(step.writes)
            ends[step.writes] = end
            size[step.writes] = BYTES * prod(step.output)
            alive += size[step.writes]
            peak = max(peak, alive)
        alive -= sum(size[number] for number in touched if ends[number] <= index)
    return peak


def _image(operations: Sequence[Operation]) -> Mapping[int, int]:
    first = next((step for step in operations if 0 in step.reads), None)
    return {0: BYTES * prod(first.inputs[first.reads.index(0)])} if first else {}

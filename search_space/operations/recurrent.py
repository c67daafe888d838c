"""Recurrent layers: one step, as engines run them, however torch takes them apart."""

from math import prod

from torch import nn

from search_space.operations.operation import Kind, Operation, Shape


def recurrent(layer: nn.RNNBase, module: str, read: Shape, written: Shape) -> Operation:
    """The step of an LSTM, a GRU or a plain recurrent layer, all its layers and directions.

    At every place of a sequence each weight matrix is multiplied once by what is read or by the state, so the
    multiply-accumulates are the numbers in the matrices times the places of all sequences.

    Args:
        layer: The layer.
        module: Where in the network.
        read: Shape of the sequences, the features last.
        written: Shape of what it writes.
    """
    weights = {name: weight.numel() for name, weight in layer.named_parameters()}
    return Operation(
        Kind.MATMUL,
        layer.mode.partition("_")[0].lower(),
        module,
        (tuple(read),),
        tuple(written),
        parameters=sum(weights.values()),
        multiplied=prod(read[:-1]) * sum(size for name, size in weights.items() if name.startswith("weight")),
    )

"""What a deployed graph is: where it ends, and the format of its file. Plain data, for a command line without numpy."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Boundary(StrEnum):
    """Where the graph ends."""

    LOGITS = "logits"
    """At the logits, at the finest injected scale: 1/8 of the image in all published designs and latencies."""
    UPSAMPLE = "upsample"
    """At the logits resized to the image."""
    ARGMAX = "argmax"
    """At the class of every pixel: the logits resized to the image, and their argmax."""
    ARGMAX_NEAREST = "argmax-nearest"
    """At the class of every pixel: the argmax of the logits as they are, each class repeated to the image."""


CLASSES = frozenset({Boundary.ARGMAX, Boundary.ARGMAX_NEAREST})
"""The boundaries where the graph gives the class of every pixel."""


class Format(StrEnum):
    """What the file is."""

    ONNX = "onnx"
    """One .onnx file, opset 20 if nothing else is asked for, weights inside."""
    NCNN = "ncnn"
    """A .param file and a .bin file beside it, fp32; blobs `in0` and `out0`."""
    TORCHSCRIPT = "torchscript"
    """One .pt file, traced."""


SUFFIXES: Mapping[Format, str] = MappingProxyType(
    {Format.ONNX: ".onnx", Format.NCNN: ".param", Format.TORCHSCRIPT: ".pt"}
)
"""Ending of the file's name, by format."""

OPSET = 20
"""The set of ONNX operations where nothing else is asked for."""
LEAST_OF_DYNAMO = 18
"""The oldest set that torch's exporter writes; older ones come from its former exporter."""

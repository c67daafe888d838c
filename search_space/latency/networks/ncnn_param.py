"""Networks of ncnn's own benchmark, read from its .param files: their layers as operations, with shapes.

A file names a layer a line: type, name, number of inputs and outputs, their names, and `key=value` parameters, whose
meaning is that of ncnn's documentation (operators.md). Weights are not needed. What moves no data is no step, as in
the walk of a module; an activation that a file gives to a
convolution is done while its output is in registers; the last layer of a detector, which sorts boxes, is charged for
its bytes.
"""

from collections.abc import Callable, Mapping
from math import ceil, prod
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from search_space.operations.operation import Kind, Operation, Shape
from topformer.errors import InputError

FOLDER = Path(__file__).parent / "ncnn_params"
"""Networks that devices with ncnn were timed on and no fit has; `ncnn_params/README.md` says where they are from."""

SIDES: Mapping[Path, int] = MappingProxyType(
    {
        FOLDER / f"{name}.param": side
        for name, side in (
            *(("efficientnetv2_b0", 224), ("blazeface", 128), ("googlenet", 224), ("alexnet", 227)),
            *(("squeezenet_ssd", 300), ("mobilenet_ssd", 300), ("mobilenet_yolo", 416), ("mobilenetv2_yolov3", 352)),
            *(("yolov4-tiny", 416), ("nanodet_m", 320), ("yolo-fastest-1.1", 320), ("yolo-fastestv2", 352)),
            ("FastestDet", 352),
        )
    }
)
"""Every file, and the side of the image that ncnn's benchmark gives its network."""

_SHAPES, _ARRAYS = -23330, -23300
_SAME = (-233, -234)
"""Padding so that only the stride reduces the grid."""


class _Layer(NamedTuple):
    """One line: its type, its blobs, and its parameters, an array as its numbers."""

    type: str
    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    values: Mapping[int, tuple[float, ...]]

    def number(self, key: int, default: int = 0) -> int:
        return int(self.values[key][0]) if key in self.values else default

    def pair(self, down: int, across: int, default: int = 0) -> tuple[int, int]:
        """Of height and width: the height's is that of the width where it is not given."""
        width = self.number(across, default)
        return self.number(down, width), width

    @property
    def hints(self) -> list[Shape]:
        """Shapes of the outputs, if the file says them: per output the dimensions, then width, height, channels."""
        flat = [int(value) for value in self.values.get(_SHAPES, ())]
        return [(1, *reversed(flat[at + 1 : at + 1 + flat[at]])) for at in range(0, len(flat), 4)]


def operations_of(path: Path, side: int) -> list[Operation]:
    """The operations of the network in a file.

    Args:
        path: The file.
        side: Height and width of the image, where the file does not say it.

    Raises:
        InputError: The file is no .param file, or has a layer that is not known here.
    """
    reader = _Reader(side)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        if number == 0 and line.strip() != "7767517":
            raise InputError(f"{path} is no .param file of ncnn: its first line must be 7767517, got {line[:20]!r}")
        if number > 1 and line.strip():
            reader.read(_layer(line))
    return reader.steps


def _layer(line: str) -> _Layer:
    kind, name, inputs, outputs, *rest = line.split()
    last = int(inputs) + int(outputs)
    values = {}
    for key, _, text in (part.partition("=") for part in rest[last:]):
        numbers = tuple(float(number) for number in text.split(","))
        values[int(key)] = numbers[1:] if int(key) <= _ARRAYS else numbers
    return _Layer(kind, name, tuple(rest[: int(inputs)]), tuple(rest[int(inputs) : last]), values)


class _Reader:
    """Follows the blobs of a network, and writes down what its layers compute."""

    def __init__(self, side: int) -> None:
        self.steps: list[Operation] = []
        self._side = side
        self._blobs: dict[str, tuple[int, Shape]] = {}

    def read(self, layer: _Layer) -> None:
        """One more layer."""
        inputs = [self._blobs[name] for name in layer.reads]
        shapes = [shape for _, shape in inputs]
        if layer.type == "Input":
            written = layer.hints or [(1, layer.number(2, 3), *layer.pair(1, 0, self._side))]
        elif layer.type in _VIEWS:
            written = layer.hints or _VIEWS[layer.type](layer, shapes)
        elif layer.type in _STEPS:
            step = _STEPS[layer.type](layer, shapes)
            written = layer.hints or [step.output]
            self._add(step._replace(output=written[0]), layer, [number for number, _ in inputs])
        else:
            raise InputError(f"layer {layer.name!r}: its type {layer.type!r} is not known here")
        source = inputs[0][0] if inputs and layer.type in _VIEWS else len(self.steps)
        self._blobs.update((name, (source, shape)) for name, shape in zip(layer.writes, written, strict=True))

    def _add(self, step: Operation, layer: _Layer, reads: list[int]) -> None:
        number = len(self.steps) + 1
        self.steps.append(step._replace(module=layer.name, reads=tuple(reads), writes=number))


def _convolution(layer: _Layer, shapes: list[Shape]) -> Operation:
    outputs, kernel, dilation, stride = (
        layer.number(0), layer.pair(11, 1), layer.pair(12, 2, 1), layer.pair(13, 3, 1)
    )  # fmt: skip
    transposed = layer.type.startswith("Deconvolution")
    groups = layer.number(7, 1)
    window = [(size - 1) * far + 1 for size, far in zip(kernel, dilation, strict=True)]
    grid = _grown(layer, shapes[0], window, stride) if transposed else _shrunk(layer, shapes[0], window, stride)
    weights = outputs * shapes[0][1] // groups * prod(kernel)
    return Operation(
        Kind.CONV,
        "conv_transpose2d" if transposed else "conv2d",
        "",
        (shapes[0],),
        (1, outputs, *grid),
        parameters=weights + outputs * bool(layer.number(5)),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        groups=groups,
        multiplied=prod(shapes[0][2:]) * weights if transposed else None,
    )


def _shrunk(layer: _Layer, shape: Shape, window: list[int], stride: tuple[int, int]) -> Shape:
    left, top = layer.number(4), layer.number(14, layer.number(4))
    if left in _SAME:
        return tuple(ceil(size / step) for size, step in zip(shape[2:], stride, strict=True))
    around = (top + layer.number(16, top), left + layer.number(15, left))
    sides = zip(shape[2:], around, window, stride, strict=True)
    return tuple((size + pad - wide) // step + 1 for size, pad, wide, step in sides)


def _grown(layer: _Layer, shape: Shape, window: list[int], stride: tuple[int, int]) -> Shape:
    left, top = layer.number(4), layer.number(14, layer.number(4))
    cut = (top + layer.number(16, top), left + layer.number(15, left))
    more = (layer.number(19, layer.number(18)), layer.number(18))
    sides = zip(shape[2:], cut, window, stride, more, strict=True)
    return tuple((size - 1) * step + wide - pad + extra for size, pad, wide, step, extra in sides)


def _pooling(layer: _Layer, shapes: list[Shape]) -> Operation:
    name = "avg_pool" if layer.number(0) else "max_pool"
    if layer.number(4):
        return Operation(Kind.POOL, name, "", (shapes[0],), (*shapes[0][:2], 1, 1))
    kernel, stride = layer.pair(11, 1), layer.pair(12, 2, 1)
    left, top = layer.number(3), layer.number(13, layer.number(3))
    around = (top + layer.number(15, top), left + layer.number(14, left))
    mode = layer.number(5)
    sides = []
    for size, pad, wide, step in zip(shapes[0][2:], around, kernel, stride, strict=True):
        whole = (size + pad - wide) / step + 1
        sides.append(ceil(size / step) if mode > 1 else ceil(whole) if mode == 0 else int(whole))
    output = (*shapes[0][:2], *sides)
    return Operation(Kind.POOL, name, "", (shapes[0],), output, kernel=kernel, stride=stride)


def _linear(layer: _Layer, shapes: list[Shape]) -> Operation:
    inputs, outputs = prod(shapes[0]), layer.number(0)
    parameters = inputs * outputs + outputs * bool(layer.number(1))
    return Operation(Kind.MATMUL, "linear", "", ((1, inputs),), (1, outputs), parameters=parameters)


def _pairwise(layer: _Layer, shapes: list[Shape]) -> Operation:
    names = ("mul", "add", "maximum") if layer.type == "Eltwise" else ("add", "sub", "mul", "div", "maximum", "minimum")
    return Operation(Kind.ELEMENTWISE, names[layer.number(0)], "", tuple(shapes), max(shapes, key=prod))


def _resize(layer: _Layer, shapes: list[Shape]) -> Operation:
    name = {1: "nearest", 2: "bilinear", 3: "bicubic"}[layer.number(0)]
    scales = [layer.values.get(key, (1.0,))[0] for key in (1, 2)]
    grid = [layer.number(key) or round(size * by) for key, size, by in zip((3, 4), shapes[0][2:], scales, strict=True)]
    return Operation(Kind.RESIZE, name, "", (shapes[0],), (*shapes[0][:2], *grid))


def _padding(layer: _Layer, shapes: list[Shape]) -> Operation:
    _, channels, height, width = shapes[0]
    output = (
        1, channels + layer.number(7) + layer.number(8),
        height + layer.number(0) + layer.number(1), width + layer.number(2) + layer.number(3),
    )  # fmt: skip
    return Operation(Kind.UNKNOWN, "constant_pad_nd", "", (shapes[0],), output)


def _concat(layer: _Layer, shapes: list[Shape]) -> Operation:
    axis = layer.number(0) + 1
    joined = sum(shape[axis] for shape in shapes)
    return Operation(Kind.CONCAT, "cat", "", tuple(shapes), (*shapes[0][:axis], joined, *shapes[0][axis + 1 :]))


def _mean(_layer: _Layer, shapes: list[Shape]) -> Operation:
    return Operation(Kind.POOL, "avg_pool", "", (shapes[0],), (*shapes[0][:2], 1, 1))


def _plain(kind: Kind, name: str) -> Callable[[_Layer, list[Shape]], Operation]:
    """A layer whose output has the shape of its first input."""
    return lambda _layer, shapes: Operation(kind, name, "", tuple(shapes), shapes[0])


def _relu(layer: _Layer, shapes: list[Shape]) -> Operation:
    leaky = bool(layer.values.get(0, (0.0,))[0])
    return Operation(Kind.ACTIVATION, "leaky_relu" if leaky else "relu", "", (shapes[0],), shapes[0])


_STEPS: Mapping[str, Callable[[_Layer, list[Shape]], Operation]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("Convolution", "ConvolutionDepthWise", "DeconvolutionDepthWise", "Deconvolution"), _convolution
        ),
        "Pooling": _pooling,
        "InnerProduct": _linear,
        **dict.fromkeys(("BinaryOp", "Eltwise"), _pairwise),
        "Interp": _resize,
        "Padding": _padding,
        "Concat": _concat,
        "Reduction": _mean,
        "ReLU": _relu,
        "Swish": _plain(Kind.ACTIVATION, "silu"),
        "HardSwish": _plain(Kind.ACTIVATION, "hardswish"),
        "HardSigmoid": _plain(Kind.ACTIVATION, "hardsigmoid"),
        "Sigmoid": _plain(Kind.ACTIVATION, "sigmoid"),
        "Softmax": _plain(Kind.SOFTMAX, "softmax"),
        "LRN": _plain(Kind.NORM, "lrn"),
        "BatchNorm": _plain(Kind.NORM, "batch_norm"),
        **dict.fromkeys(
            ("DetectionOutput", "YoloDetectionOutput", "Yolov3DetectionOutput"),
            _plain(Kind.UNKNOWN, "detection_output"),
        ),
    }
)


def _same(layer: _Layer, shapes: list[Shape]) -> list[Shape]:
    return [shapes[0]] * len(layer.writes)


def _sliced(layer: _Layer, shapes: list[Shape]) -> list[Shape]:
    """Equal parts along an axis, of channels unless another is named."""
    axis, parts = layer.number(1) + 1, len(layer.writes)
    first = shapes[0]
    return [(*first[:axis], first[axis] // parts, *first[axis + 1 :])] * parts


def _constant(layer: _Layer, _shapes: list[Shape]) -> list[Shape]:
    return [(1, layer.number(0, 1))] * len(layer.writes)


def _flat(layer: _Layer, shapes: list[Shape]) -> list[Shape]:
    return [(1, prod(shapes[0]))] * len(layer.writes)


_VIEWS: Mapping[str, Callable[[_Layer, list[Shape]], list[Shape]]] = MappingProxyType(
    {
        **dict.fromkeys(("Split", "ShuffleChannel", "Permute", "Noop", "Dropout"), _same),
        **dict.fromkeys(("Slice", "Crop"), _sliced),
        **dict.fromkeys(("MemoryData", "PriorBox"), _constant),
        **dict.fromkeys(("Flatten", "Reshape"), _flat),
    }
)
"""Layers that move no data in the house's convention, or are made once."""

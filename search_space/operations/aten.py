"""What each aten operation is as an Operation: the one table that the walk looks in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

from torch import Tensor

from search_space.operations.operation import Kind, Operation, Shape

SHAPE_ONLY = frozenset({"zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_full"})
"""Made from the shape of their input, not from its content."""

FREE = frozenset(
    {"unsafe_split", "unsafe_chunk", "unsafe_split_with_sizes"}
    | {"clone", "_unsafe_view", "_reshape_alias", "view_copy", "dropout", "native_dropout", "feature_dropout", "detach"}
)
"""Moves no data in a deployed graph; a clone is how torch lays out a transposed view."""

_BATCH_NORMS = (
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "cudnn_batch_norm",
)
_ACTIVATIONS = (
    *("relu", "hardsigmoid", "hardswish", "gelu", "silu", "sigmoid", "tanh", "elu", "leaky_relu", "mish"),
    *("softplus", "softsign", "log_sigmoid_forward"),
)
_ELEMENTWISE = (
    *("add", "sub", "rsub", "mul", "div", "neg", "abs", "sqrt", "rsqrt", "pow", "exp", "maximum", "minimum"),
    *("where", "copy"),
)

_PLAIN: Mapping[str, tuple[Kind, str]] = MappingProxyType(
    {
        **dict.fromkeys(_BATCH_NORMS, (Kind.NORM, "batch_norm")),
        "native_layer_norm": (Kind.NORM, "layer_norm"),
        "native_group_norm": (Kind.NORM, "group_norm"),
        "_fused_rms_norm": (Kind.NORM, "rms_norm"),
        **{name: (Kind.ACTIVATION, name) for name in _ACTIVATIONS},
        "_prelu_kernel": (Kind.ACTIVATION, "prelu"),
        **{name: (Kind.ELEMENTWISE, name) for name in _ELEMENTWISE},
        "_to_copy": (Kind.ELEMENTWISE, "cast"),
        "_softmax": (Kind.SOFTMAX, "softmax"),
        "_safe_softmax": (Kind.SOFTMAX, "softmax"),
        "_log_softmax": (Kind.SOFTMAX, "log_softmax"),
        "_adaptive_avg_pool2d": (Kind.POOL, "avg_pool"),
        "adaptive_max_pool2d": (Kind.POOL, "max_pool"),
        "upsample_bilinear2d": (Kind.RESIZE, "bilinear"),
        "upsample_nearest2d": (Kind.RESIZE, "nearest"),
        "upsample_bicubic2d": (Kind.RESIZE, "bicubic"),
        "cat": (Kind.CONCAT, "cat"),
        "stack": (Kind.CONCAT, "stack"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One aten call.

    Attributes:
        name: Its name without overload and without the underscore of the in-place form.
        args: Positional arguments.
        kwargs: Arguments by name.
        inputs: Its tensor arguments, in order.
        active: Which of them depend on the image; the others are weights.
        shapes: Their shapes, those of matrix products with the batch dimensions of the call in Python.
        output: Shape of the first result.
    """

    name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    inputs: tuple[Tensor, ...]
    active: tuple[bool, ...]
    shapes: tuple[Shape, ...]
    output: Shape

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """The argument at that position or of that name."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    @property
    def read_shapes(self) -> tuple[Shape, ...]:
        """Shapes of the inputs that depend on the image."""
        return tuple(shape for shape, active in zip(self.shapes, self.active, strict=True) if active)


def steps(call: Call, reads: tuple[int, ...], writes: int) -> list[Operation]:
    """The steps of a call that reads the tensors `reads` and writes the tensor `writes` and those after it."""
    if call.name.startswith("_scaled_dot_product"):
        return _attention(call, reads, writes)
    step = Operation(Kind.UNKNOWN, call.name, "", call.read_shapes, call.output, reads, writes)
    rule = _RULES.get(call.name)
    if rule is not None:
        return [rule(call, step)]
    kind, name = _PLAIN.get(call.name, (Kind.UNKNOWN, call.name))
    return [step._replace(kind=kind, name=name)]


def _convolution(call: Call, step: Operation) -> Operation:
    weight = call.shapes[1]
    stride, dilation = call.argument(3, "stride"), call.argument(5, "dilation")
    transposed, groups = call.argument(6, "transposed"), call.argument(8, "groups")
    name = f"conv{'_transpose' if transposed else ''}{len(weight) - 2}d"
    if not call.active[0]:
        return step._replace(name=name)
    # Every number of the input meets each weight of its channel once; in a plain convolution, every one of the output.
    side = call.shapes[0] if transposed else step.output
    return step._replace(
        kind=Kind.CONV,
        name=name,
        kernel=_pair(weight[-2:] if len(weight) > 3 else weight[2:]),
        stride=_pair(stride),
        dilation=_pair(dilation),
        groups=groups,
        multiplied=prod(side) * prod(weight[1:]) if transposed or len(weight) > 4 else None,
    )


def _pair(values: int | Sequence[int]) -> tuple[int, int]:
    """Height and width; one number in a list is a width, as in a one-dimensional convolution."""
    if isinstance(values, int):
        return values, values
    return (1, values[0]) if len(values) == 1 else (values[-2], values[-1])


def _product(call: Call, step: Operation) -> Operation:
    """A matrix product; with a weight on one side it is a linear layer."""
    first = len(call.shapes) - 2
    left, right = call.active[first:]
    name = "matmul" if left and right else "linear"
    if left:
        return step._replace(kind=Kind.MATMUL, name=name)
    # W x is the same work as the transpose, x' W', whose first input is the one that is read.
    *batch, inner, columns = call.shapes[first + 1]
    *_, rows, _ = call.shapes[first]
    flipped = (*batch, columns, rows)
    return step._replace(kind=Kind.MATMUL, name=name, inputs=((*batch, columns, inner),), output=flipped)


def _bounded(call: Call, step: Operation) -> Operation:
    """A clamp to 0..6 is a ReLU6, one from 0 a ReLU, whatever it is called."""
    low, high = call.argument(1, "min_val", call.kwargs.get("min")), call.argument(2, "max_val", call.kwargs.get("max"))
    name = {(0, 6): "relu6", (0, None): "relu"}.get((low, high), call.name)
    return step._replace(kind=Kind.ACTIVATION, name=name)


def _window_pool(call: Call, step: Operation) -> Operation:
    name = "avg_pool" if call.name.startswith("avg") else "max_pool"
    kernel = _pair(call.argument(1, "kernel_size"))
    stride = call.argument(2, "stride")
    return step._replace(kind=Kind.POOL, name=name, kernel=kernel, stride=_pair(stride) if stride else kernel)


def _mean(call: Call, step: Operation) -> Operation:
    """A mean over the grid is a pooling to one number, any other a reduction that reads all and writes less."""
    dims = call.argument(1, "dim")
    rank = len(call.shapes[0])
    whole = rank == 4 and dims and {dim % rank for dim in dims} == {2, 3}
    return step._replace(kind=Kind.POOL, name="avg_pool" if whole else "mean")


def _attention(call: Call, reads: tuple[int, ...], writes: int) -> list[Operation]:
    """Fused attention as the steps it fuses: scores, softmax, weighted sum."""
    query, key, value = call.shapes[:3]
    scores = (*query[:-1], key[-2])
    read = dict(zip([i for i, active in enumerate(call.active) if active], reads, strict=True))
    sides = [i for i in (0, 1) if i in read]
    values = [i for i in (2,) if i in read]
    score_inputs = tuple((query, (*key[:-2], key[-1], key[-2]))[i] for i in sides)
    return [
        Operation(Kind.MATMUL, "matmul", "", score_inputs, scores, tuple(read[i] for i in sides), writes),
        Operation(Kind.SOFTMAX, "softmax", "", (scores,), scores, (writes,), writes + 1),
        Operation(
            Kind.MATMUL,
            "matmul",
            "",
            (scores, *(value for _ in values)),
            (*scores[:-1], value[-1]),
            (writes + 1, *(read[i] for i in values)),
            writes + 2,
        ),
    ]


_RULES: Mapping[str, Callable[[Call, Operation], Operation]] = MappingProxyType(
    {
        "convolution": _convolution,
        **dict.fromkeys(("mm", "addmm", "bmm", "baddbmm"), _product),
        **dict.fromkeys(("hardtanh", "clamp", "clamp_min"), _bounded),
        **dict.fromkeys(("avg_pool2d", "max_pool2d_with_indices", "max_pool2d"), _window_pool),
        "mean": _mean,
    }
)

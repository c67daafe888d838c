"""The parts of a TopFormer in closed form: each function gives the operations of one part from its numbers alone.

The shapes are (1, C, H, W). Modules are paths below the part's own module. Every part is a copy of the modules of
`topformer`, step by step; the tests hold the two against each other.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from search_space.operations.recorder import Grid, OperationRecorder, Value
from topformer.design import ASPP_DILATIONS, PPM_BINS, Head, Injection, reduced_width


def stem(kernel: int, channels: int, image: Grid) -> OperationRecorder:
    """The first convolution."""
    recorder = OperationRecorder((1, 3, *image))
    recorder.unit(recorder.inputs[0], channels, "", "relu", kernel=kernel, stride=2)
    return recorder


def row(kernel: int, expand: int, channels: int, stride: int, inputs: int, grid: Grid) -> OperationRecorder:
    """One inverted residual block from `inputs` to `channels` channels."""
    recorder = OperationRecorder((1, inputs, *grid))
    x = hidden = recorder.inputs[0]
    width = inputs * expand
    if expand != 1:
        hidden = recorder.unit(hidden, width, "expand", "relu")
    hidden = recorder.unit(hidden, width, "depthwise", "relu", kernel=kernel, stride=stride, groups=width)
    hidden = recorder.unit(hidden, channels, "project")
    if stride == 1 and inputs == channels:
        recorder.add(x, hidden, "")
    return recorder


def pool_all(tokens: tuple[tuple[int, Grid], ...], grid: Grid) -> OperationRecorder:
    """Every token map, of so many channels on such a grid, averaged onto `grid`, and concatenated."""
    recorder = OperationRecorder(*((1, channels, *cells) for channels, cells in tokens))
    recorder.concat([recorder.pool(x, grid, "pool") for x in recorder.inputs], "pool")
    return recorder


def pool_last(channels: int, tokens: Grid, grid: Grid, embedding: int) -> OperationRecorder:
    """The last token map averaged onto `grid` and widened to the embedding."""
    recorder = OperationRecorder((1, channels, *tokens))
    recorder.unit(recorder.pool(recorder.inputs[0], grid, "pool"), embedding, "widen")
    return recorder


def transformer_block(heads: int, keys: int, values: int, hidden: int, embedding: int, grid: Grid) -> OperationRecorder:
    """Attention and feed-forward network, each with its residual sum; `keys` and `values` are widths of one head."""
    recorder = OperationRecorder((1, embedding, *grid))
    x = recorder.inputs[0]
    x = recorder.add(x, _attention(recorder, x, heads, keys, values), "")
    recorder.add(x, _ffn(recorder, x, hidden, "ffn"), "")
    return recorder


def _attention(recorder: OperationRecorder, x: Value, heads: int, keys: int, values: int) -> Value:
    cells = x.grid[0] * x.grid[1]
    query = recorder.unit(x, heads * keys, "attention.query")._replace(shape=(1, heads, cells, keys))
    key = recorder.unit(x, heads * keys, "attention.key")._replace(shape=(1, heads, keys, cells))
    value = recorder.unit(x, heads * values, "attention.value")._replace(shape=(1, heads, values, cells))
    weights = recorder.softmax(recorder.matmul(query, key, "attention"), "attention")
    mixed = recorder.matmul(value, weights, "attention")._replace(shape=(1, heads * values, *x.grid))
    return recorder.unit(recorder.activation(mixed, "relu6", "attention.project.act"), x.channels, "attention.project")


def _ffn(recorder: OperationRecorder, x: Value, hidden: int, module: str) -> Value:
    y = recorder.unit(x, hidden, f"{module}.expand")
    y = recorder.conv(y, hidden, f"{module}.depthwise", kernel=3, groups=hidden, bias=True)
    y = recorder.activation(y, "relu6", f"{module}.act")
    return recorder.unit(y, x.channels, f"{module}.project")


def ffn_block(hidden: int, extra_ffns: int, embedding: int, grid: Grid) -> OperationRecorder:
    """A transformer block whose attention is replaced by feed-forward networks."""
    recorder = OperationRecorder((1, embedding, *grid))
    x = recorder.inputs[0]
    for module in (*(f"extra.{index}" for index in range(extra_ffns)), "ffn"):
        x = recorder.add(x, _ffn(recorder, x, hidden, module), "")
    return recorder


def ppm(embedding: int, grid: Grid) -> OperationRecorder:
    """Pyramid pooling module."""
    recorder = OperationRecorder((1, embedding, *grid))
    x = recorder.inputs[0]
    branches = [_pooled_branch(recorder, x, side, f"branches.{index}") for index, side in enumerate(PPM_BINS)]
    recorder.unit(recorder.concat([x, *branches], ""), embedding, "fuse", "relu", kernel=3)
    return recorder


def aspp(embedding: int, grid: Grid) -> OperationRecorder:
    """Atrous spatial pyramid pooling."""
    recorder = OperationRecorder((1, embedding, *grid))
    x, width = recorder.inputs[0], _branch_width(embedding)
    branches = [recorder.unit(x, width, "branches.0", "relu")]
    for index, dilation in enumerate(ASPP_DILATIONS, start=1):
        branches.append(recorder.unit(x, width, f"branches.{index}", "relu", kernel=3, dilation=dilation))
    branches.append(_pooled_branch(recorder, x, 1, f"branches.{len(branches)}"))
    recorder.unit(recorder.concat(branches, ""), embedding, "fuse", "relu")
    return recorder


def _pooled_branch(recorder: OperationRecorder, x: Value, side: int, module: str) -> Value:
    y = recorder.pool(x, (side, side), f"{module}.pool")
    y = recorder.unit(y, _branch_width(x.channels), f"{module}.reduce", "relu")
    return recorder.resize(y, x.grid, module)


def _branch_width(embedding: int) -> int:
    return max(embedding // 4, 1)


def scale(kind: Injection, width: int, channels: int, grid: Grid, embedding: int, pooled: Grid) -> OperationRecorder:
    """The injection of one scale: reads its token map and its channels of the semantics."""
    recorder = OperationRecorder((1, channels, *grid), (1, embedding, *pooled))
    tokens, semantics = recorder.inputs
    own = semantics._replace(shape=(1, channels, *semantics.grid))
    INJECTIONS[kind](recorder, tokens, own, width)
    return recorder


def _gate_sum(recorder: OperationRecorder, tokens: Value, semantics: Value, width: int) -> Value:
    return _add_info(recorder, _gate(recorder, tokens, semantics, width), semantics)


def _gate(recorder: OperationRecorder, tokens: Value, semantics: Value, width: int) -> Value:
    local = recorder.unit(tokens, width, "local")
    return _multiply(recorder, local, recorder.unit(semantics, width, "gate"))


def _sum(recorder: OperationRecorder, tokens: Value, semantics: Value, width: int) -> Value:
    return _add_info(recorder, recorder.unit(tokens, width, "local"), semantics)


def _gate_sum_cbr(recorder: OperationRecorder, tokens: Value, semantics: Value, width: int) -> Value:
    local = recorder.unit(tokens, width, "local", "relu")
    gated = _multiply(recorder, local, recorder.conv(semantics, width, "gate.conv", bias=True))
    return _add_info(recorder, gated, semantics, act="relu")


def _multiply(recorder: OperationRecorder, local: Value, gate: Value) -> Value:
    gate = recorder.activation(gate, "hardsigmoid", "gate.act")
    return recorder.mul(local, recorder.resize(gate, local.grid, ""), "")


def _add_info(recorder: OperationRecorder, x: Value, semantics: Value, act: str = "") -> Value:
    info = recorder.unit(semantics, x.channels, "info", act)
    return recorder.add(x, recorder.resize(info, x.grid, ""), "")


INJECTIONS: Mapping[Injection, Callable[[OperationRecorder, Value, Value, int], Value]] = MappingProxyType(
    {
        Injection.GATE_SUM: _gate_sum,
        Injection.GATE: _gate,
        Injection.SUM: _sum,
        Injection.GATE_SUM_CBR: _gate_sum_cbr,
    }
)
"""The operations of the module of one scale, from its tokens and semantics to the width M."""


def head(kind: Head, width: int, classes: int, grids: tuple[Grid, ...]) -> OperationRecorder:
    """The segmentation head on the injected scales, finest first."""
    recorder = OperationRecorder(*((1, width, *grid) for grid in grids))
    HEADS[kind](recorder, classes)
    return recorder


def _sum_head(recorder: OperationRecorder, classes: int) -> Value:
    return _fuse_and_classify(recorder, _added(recorder), classes)


def _sum_depthwise_head(recorder: OperationRecorder, classes: int) -> Value:
    return _fuse_and_classify(recorder, _added(recorder), classes, groups=recorder.inputs[0].channels)


def _concat_head(recorder: OperationRecorder, classes: int) -> Value:
    finest, *coarser = recorder.inputs
    if not coarser:
        return _sum_head(recorder, classes)
    width = reduced_width(finest.channels)
    reduced = [recorder.unit(x, width, f"reduce.{index}", "relu") for index, x in enumerate(recorder.inputs)]
    x = recorder.concat([recorder.resize(y, finest.grid, "") for y in reduced], "")
    return recorder.conv(x, classes, "classifier", bias=True)


def _added(recorder: OperationRecorder) -> Value:
    finest, *coarser = recorder.inputs
    x = finest
    for y in coarser:
        x = recorder.add(x, recorder.resize(y, finest.grid, ""), "")
    return x


def _fuse_and_classify(recorder: OperationRecorder, x: Value, classes: int, *, groups: int = 1) -> Value:
    x = recorder.unit(x, recorder.inputs[0].channels, "fuse", "relu", groups=groups)
    return recorder.conv(x, classes, "classifier", bias=True)


HEADS: Mapping[Head, Callable[[OperationRecorder, int], Value]] = MappingProxyType(
    {Head.SUM: _sum_head, Head.SUM_DEPTHWISE: _sum_depthwise_head, Head.CONCAT: _concat_head}
)
"""The operations of a head on the recorder's inputs, which are the injected maps, to so many classes."""

"""The parts of a TopFormer in closed form: each function gives the operations of one part from its numbers alone.

The shapes are (1, C, H, W). Modules are paths below the part's own module. Every part is a copy of the modules of
`topformer`, step by step; the tests hold the two against each other.
"""

from search_space.operations.recorder import Grid, OperationRecorder, Value
from topformer.design import Head, Injection

PPM_BINS = (1, 2, 3, 6)
"""Sides of the grids of the pyramid pooling module."""

ASPP_DILATIONS = (6, 12, 18)
"""Dilations of the 3x3 branches of atrous spatial pyramid pooling."""


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
    tokens, behind = recorder.inputs
    own = behind._replace(shape=(1, channels, *behind.grid))
    after = "relu" if kind is Injection.GATE_SUM_CBR else ""
    x = recorder.unit(tokens, width, "local", after)
    if kind is not Injection.SUM:
        x = recorder.mul(x, recorder.resize(_gate(recorder, own, width, kind), grid, ""), "")
    if kind is not Injection.GATE:
        x = recorder.add(x, recorder.resize(recorder.unit(own, width, "info", after), grid, ""), "")
    return recorder


def _gate(recorder: OperationRecorder, x: Value, width: int, kind: Injection) -> Value:
    if kind is Injection.GATE_SUM_CBR:
        gate = recorder.conv(x, width, "gate.conv", bias=True)
    else:
        gate = recorder.unit(x, width, "gate")
    return recorder.activation(gate, "hardsigmoid", "gate.act")


def head(kind: Head, width: int, classes: int, grids: tuple[Grid, ...]) -> OperationRecorder:
    """The segmentation head on the injected scales, finest first."""
    recorder = OperationRecorder(*((1, width, *grid) for grid in grids))
    finest, *coarser = recorder.inputs
    if kind is Head.CONCAT:
        x = recorder.concat([finest, *(recorder.resize(y, grids[0], "") for y in coarser)], "")
    else:
        x = finest
        for y in coarser:
            x = recorder.add(x, recorder.resize(y, grids[0], ""), "")
    x = recorder.unit(x, width, "fuse", "relu", groups=width if kind is Head.SUM_DEPTHWISE else 1)
    recorder.conv(x, classes, "classifier", bias=True)
    return recorder

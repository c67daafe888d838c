"""The parts of a TopFormer in closed form: each function gives the operations of one part from its numbers alone.

The shapes are (1, C, H, W). Modules are paths below the part's own module. Every part is a copy of the modules of
`topformer`, step by step; the tests hold the two against each other.
"""

from search_space.operations.recorder import Grid, Tape, Value
from topformer.design import Head, Injection

PPM_BINS = (1, 2, 3, 6)
"""Sides of the grids of the pyramid pooling module."""

ASPP_DILATIONS = (6, 12, 18)
"""Dilations of the 3x3 branches of atrous spatial pyramid pooling."""


def stem(kernel: int, channels: int, image: Grid) -> Tape:
    """The first convolution."""
    tape = Tape((1, 3, *image))
    tape.unit(tape.inputs[0], channels, "", "relu", kernel=kernel, stride=2)
    return tape


def row(kernel: int, expand: int, channels: int, stride: int, inputs: int, grid: Grid) -> Tape:
    """One inverted residual block from `inputs` to `channels` channels."""
    tape = Tape((1, inputs, *grid))
    x = hidden = tape.inputs[0]
    width = inputs * expand
    if expand != 1:
        hidden = tape.unit(hidden, width, "expand", "relu")
    hidden = tape.unit(hidden, width, "depthwise", "relu", kernel=kernel, stride=stride, groups=width)
    hidden = tape.unit(hidden, channels, "project")
    if stride == 1 and inputs == channels:
        tape.add(x, hidden, "")
    return tape


def pool_all(tokens: tuple[tuple[int, Grid], ...], grid: Grid) -> Tape:
    """Every token map, of so many channels on such a grid, averaged onto `grid`, and concatenated."""
    tape = Tape(*((1, channels, *cells) for channels, cells in tokens))
    tape.concat([tape.pool(x, grid, "pool") for x in tape.inputs], "pool")
    return tape


def pool_last(channels: int, tokens: Grid, grid: Grid, embedding: int) -> Tape:
    """The last token map averaged onto `grid` and widened to the embedding."""
    tape = Tape((1, channels, *tokens))
    tape.unit(tape.pool(tape.inputs[0], grid, "pool"), embedding, "widen")
    return tape


def transformer_block(heads: int, keys: int, values: int, hidden: int, embedding: int, grid: Grid) -> Tape:
    """Attention and feed-forward network, each with its residual sum; `keys` and `values` are widths of one head."""
    tape = Tape((1, embedding, *grid))
    x = tape.inputs[0]
    x = tape.add(x, _attention(tape, x, heads, keys, values), "")
    tape.add(x, _ffn(tape, x, hidden, "ffn"), "")
    return tape


def _attention(tape: Tape, x: Value, heads: int, keys: int, values: int) -> Value:
    cells = x.grid[0] * x.grid[1]
    query = tape.unit(x, heads * keys, "attention.query")._replace(shape=(1, heads, cells, keys))
    key = tape.unit(x, heads * keys, "attention.key")._replace(shape=(1, heads, keys, cells))
    value = tape.unit(x, heads * values, "attention.value")._replace(shape=(1, heads, values, cells))
    weights = tape.softmax(tape.matmul(query, key, "attention"), "attention")
    mixed = tape.matmul(value, weights, "attention")._replace(shape=(1, heads * values, *x.grid))
    return tape.unit(tape.activation(mixed, "relu6", "attention.project.act"), x.channels, "attention.project")


def _ffn(tape: Tape, x: Value, hidden: int, module: str) -> Value:
    y = tape.unit(x, hidden, f"{module}.expand")
    y = tape.conv(y, hidden, f"{module}.depthwise", kernel=3, groups=hidden, bias=True)
    y = tape.activation(y, "relu6", f"{module}.act")
    return tape.unit(y, x.channels, f"{module}.project")


def ffn_block(hidden: int, extra_ffns: int, embedding: int, grid: Grid) -> Tape:
    """A transformer block whose attention is replaced by feed-forward networks."""
    tape = Tape((1, embedding, *grid))
    x = tape.inputs[0]
    for module in (*(f"extra.{index}" for index in range(extra_ffns)), "ffn"):
        x = tape.add(x, _ffn(tape, x, hidden, module), "")
    return tape


def ppm(embedding: int, grid: Grid) -> Tape:
    """Pyramid pooling module."""
    tape = Tape((1, embedding, *grid))
    x = tape.inputs[0]
    branches = [_pooled_branch(tape, x, side, f"branches.{index}") for index, side in enumerate(PPM_BINS)]
    tape.unit(tape.concat([x, *branches], ""), embedding, "fuse", "relu", kernel=3)
    return tape


def aspp(embedding: int, grid: Grid) -> Tape:
    """Atrous spatial pyramid pooling."""
    tape = Tape((1, embedding, *grid))
    x, width = tape.inputs[0], _branch_width(embedding)
    branches = [tape.unit(x, width, "branches.0", "relu")]
    for index, dilation in enumerate(ASPP_DILATIONS, start=1):
        branches.append(tape.unit(x, width, f"branches.{index}", "relu", kernel=3, dilation=dilation))
    branches.append(_pooled_branch(tape, x, 1, f"branches.{len(branches)}"))
    tape.unit(tape.concat(branches, ""), embedding, "fuse", "relu")
    return tape


def _pooled_branch(tape: Tape, x: Value, side: int, module: str) -> Value:
    y = tape.pool(x, (side, side), f"{module}.pool")
    y = tape.unit(y, _branch_width(x.channels), f"{module}.reduce", "relu")
    return tape.resize(y, x.grid, module)


def _branch_width(embedding: int) -> int:
    return max(embedding // 4, 1)


def scale(kind: Injection, width: int, channels: int, grid: Grid, embedding: int, pooled: Grid) -> Tape:
    """The injection of one scale: reads its token map and its channels of the semantics."""
    tape = Tape((1, channels, *grid), (1, embedding, *pooled))
    tokens, behind = tape.inputs
    own = behind._replace(shape=(1, channels, *behind.grid))
    after = "relu" if kind is Injection.GATE_SUM_CBR else ""
    x = tape.unit(tokens, width, "local", after)
    if kind is not Injection.SUM:
        x = tape.mul(x, tape.resize(_gate(tape, own, width, kind), grid, ""), "")
    if kind is not Injection.GATE:
        x = tape.add(x, tape.resize(tape.unit(own, width, "info", after), grid, ""), "")
    return tape


def _gate(tape: Tape, x: Value, width: int, kind: Injection) -> Value:
    if kind is Injection.GATE_SUM_CBR:
        gate = tape.conv(x, width, "gate.conv", bias=True)
    else:
        gate = tape.unit(x, width, "gate")
    return tape.activation(gate, "hardsigmoid", "gate.act")


def head(kind: Head, width: int, classes: int, grids: tuple[Grid, ...]) -> Tape:
    """The segmentation head on the injected scales, finest first."""
    tape = Tape(*((1, width, *grid) for grid in grids))
    finest, *coarser = tape.inputs
    if kind is Head.CONCAT:
        x = tape.concat([finest, *(tape.resize(y, grids[0], "") for y in coarser)], "")
    else:
        x = finest
        for y in coarser:
            x = tape.add(x, tape.resize(y, grids[0], ""), "")
    x = tape.unit(x, width, "fuse", "relu", groups=width if kind is Head.SUM_DEPTHWISE else 1)
    tape.conv(x, classes, "classifier", bias=True)
    return tape

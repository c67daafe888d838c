"""The ledger: what every counter says about one design, kind by kind, and why they differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

from search_space.cost.closed_form import operations
from search_space.cost.conventions import has_bias, macs_fvcore, macs_paper
from search_space.operations.operation import Kind, Operation
from topformer.design import Design

CLOSED_FORM = "closed form"
PAPER = "paper"
FVCORE = "fvcore"
THOP = "thop"
FLOP_COUNTER_MODE = "FlopCounterMode / 2"
COLUMNS = (CLOSED_FORM, FVCORE, THOP, FLOP_COUNTER_MODE, PAPER)
"""Columns of a ledger, in the order of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One kind of operation.

    Attributes:
        kind: The kind.
        steps: How many steps of the forward pass are of it.
        macs: Column to MACs in the convention of the column.
        differences: Column that differs from the closed form, to a sentence that says why.
    """

    kind: Kind
    steps: int
    macs: Mapping[str, int]
    differences: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All kinds of operations of one network on one image.

    Attributes:
        height: Input height in pixels.
        width: Input width in pixels.
        rows: One per kind that occurs, in the order of `Kind`.
        unsupported: Counter to what it met and has no rule for, with how many times.
    """

    height: int
    width: int
    rows: tuple[LedgerRow, ...]
    unsupported: Mapping[str, Mapping[str, int]]

    @property
    def totals(self) -> Mapping[str, int]:
        """Column to its sum over the kinds."""
        return {column: sum(row.macs[column] for row in self.rows) for column in COLUMNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a counter differs on a kind: what it counts instead, per step, and the sentence that says so."""

    counts: Callable[[Operation], int]
    sentence: str


def _nothing(_: Operation) -> int:
    return 0


def _elements(factor: int) -> Callable[[Operation], int]:
    return lambda step: factor * prod(step.output)


def _pooled_by_module(step: Operation) -> int:
    """What thop counts for an adaptive pooling: the window, as a quotient of grids, and a division, per output."""
    if not step.module.startswith("backbone.extractor."):
        return 0
    (*_, height, width), (*_, rows, columns) = step.inputs[0], step.output
    return int((height / rows * width / columns + 1) * prod(step.output))


REASONS: Mapping[tuple[str, Kind], Reason] = MappingProxyType(
    {
        (THOP, Kind.MATMUL): Reason(
            counts=_nothing, sentence="thop hooks modules; a matrix product is a functional call, which it never sees"
        ),
        (THOP, Kind.NORM): Reason(
            counts=_elements(4),
            sentence="thop counts 4 per element of a batch normalisation with scale and shift, fvcore 2",
        ),
        (THOP, Kind.RESIZE): Reason(
            counts=_nothing, sentence="thop hooks modules; an interpolation is a functional call, which it never sees"
        ),
        (THOP, Kind.POOL): Reason(
            counts=_pooled_by_module,
            sentence="thop counts poolings that are modules, as window plus 1 per output, and sees no functional one; "
            "fvcore counts 1 per input of either",
        ),
        **{
            (FLOP_COUNTER_MODE, kind): Reason(
                counts=_nothing, sentence="FlopCounterMode has rules for convolutions and matrix products alone"
            )
            for kind in (Kind.NORM, Kind.RESIZE, Kind.POOL)
        },
        (PAPER, Kind.CONV): Reason(
            counts=lambda step: step.macs + prod(step.output) * has_bias(step),
            sentence="the paper's counter adds 1 per output of a convolution with bias",
        ),
        (PAPER, Kind.MATMUL): Reason(
            counts=_nothing, sentence="the paper's counter sees modules alone, and no matrix product"
        ),
        (PAPER, Kind.ACTIVATION): Reason(
            counts=_elements(1), sentence="the paper's counter adds 1 per element of an activation, fvcore none"
        ),
        (PAPER, Kind.RESIZE): Reason(
            counts=_nothing, sentence="the paper's counter sees modules alone, and no interpolation"
        ),
        (PAPER, Kind.POOL): Reason(
            counts=_nothing, sentence="the paper's counter sees modules alone, and no functional pooling"
        ),
    }
)
"""Why a column differs from the closed form on a kind; what a reason counts is compared before it is given."""


def ledger(design: Design, height: int, width: int) -> Ledger:
    """Builds the network and lets every counter count it, in evaluation on one image; takes a second or two.

    Raises:
        UnknownOperator: A counter counts something that this project has no kind for.
    """
    from search_space.cost.counters import count_flop_counter_mode, count_fvcore, count_thop
    from topformer.network import TopFormer

    model = TopFormer(design)
    counts = [count(model, height, width) for count in (count_fvcore, count_thop, count_flop_counter_mode)]
    steps = operations(design, height, width)
    kinds = [kind for kind in Kind if any(step.kind is kind for step in steps)]
    return Ledger(
        height=height,
        width=width,
        rows=tuple(_row(kind, steps, {count.counter: count.macs.get(kind, 0) for count in counts}) for kind in kinds),
        unsupported={count.counter: count.unsupported for count in counts},
    )


def _row(kind: Kind, steps: Sequence[Operation], counted: Mapping[str, int]) -> LedgerRow:
    own = [step for step in steps if step.kind is kind]
    macs = {CLOSED_FORM: sum(map(macs_fvcore, own)), **counted, PAPER: sum(map(macs_paper, own))}
    differences = {
        column: _why(column, kind, own, macs[column]) for column in COLUMNS if macs[column] != macs[CLOSED_FORM]
    }
    return LedgerRow(kind=kind, steps=len(own), macs=macs, differences=differences)


def _why(column: str, kind: Kind, steps: Sequence[Operation], counted: int) -> str:
    reason = REASONS.get((column, kind))
    if reason is None:
        return "not explained"
    explained = sum(map(reason.counts, steps))
    if explained == counted:
        return reason.sentence
    return f"{reason.sentence}; this explains {explained:,} and leaves {counted - explained:,} unexplained"


def render(book: Ledger, *, width: int = 80) -> str:
    """The ledger as a text table, with a line per difference below it; a table that is too wide is set as several."""
    lines: list[tuple[str, ...]] = [("kind", "steps", *COLUMNS)]
    lines += [(row.kind.value, str(row.steps), *(f"{row.macs[name]:,}" for name in COLUMNS)) for row in book.rows]
    lines += [("total", str(sum(row.steps for row in book.rows)), *(f"{n:,}" for n in book.totals.values()))]
    columns = list(zip(*lines, strict=True))
    table: list[str] = []
    for beside in _beside(columns, width):
        shown = [columns[0], *beside]
        widths = [max(map(len, column)) for column in shown]
        table += [*([""] if table else []), *(_line(cells, widths) for cells in zip(*shown, strict=True))]
    notes = [f"{row.kind.value}, {name}: {why}" for row in book.rows for name, why in row.differences.items()]
    gaps = [
        f"{counter} has no rule for {', '.join(f'{name} ({times})' for name, times in sorted(missed.items()))}"
        for counter, missed in book.unsupported.items()
        if missed
    ]
    head = f"MACs at {book.height} x {book.width}, one image, evaluation"
    return "\n".join([head, "", *table, "", *notes, *gaps])


def _beside(columns: Sequence[tuple[str, ...]], width: int) -> list[list[tuple[str, ...]]]:
    """The columns behind the first, in as many groups as it takes that each fits beside that one."""
    groups: list[list[tuple[str, ...]]] = [[]]
    for column in columns[1:]:
        taken = sum(max(map(len, one)) + 2 for one in (*groups[-1], column))
        if groups[-1] and max(map(len, columns[0])) + taken > width:
            groups.append([])
        groups[-1].append(column)
    return groups


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])

"""The tables of an ablation table's TOML file, key by key; what they mean together is in `definition`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.results.ablation import COLUMNS, COSTS, SHARES
from analysis.results.effects import Direction
from search_space.cost.parts import GROUPS
from topformer.bounds import CLASSES, LABEL, POSITIVE, SIDE
from topformer.kinds import Anything, Choice, Entries, Integer, Names, Number, Text
from topformer.schema import Section, Sections, key

FIGURES = ("rows", "latency", "shares")
SIMILAR_WITHIN = 1.0
"""Percentage points of mIoU that count as similar where a table does not say otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedCell:
    """A printed number of a row, such as `{ value = 37.8, source = "..." }`."""

    value: float | None = field(default=None, metadata=key(Number("a number"), "The number, if one was printed."))
    source: str = field(metadata=key(Text(), "Where it was published."))


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedClaim:
    """What the paper says without a number: `{ direction = "worse", source = "..." }`."""

    direction: str = field(metadata=key(Choice([item.value for item in Direction]), "How the row compares."))
    source: str = field(metadata=key(Text(), "Where it is said."))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSection:
    """The published table whose rows are claimed by those of the ablation table."""

    table: str = field(metadata=key(Text(), "Name of the published table."))
    source: str = field(metadata=key(Text(), "Where it was published."))
    rest: str = field(
        default="", metadata=key(Text(), "Format of the label of a row that no row claims, such as `{method}`.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedSection:
    """Costs of rows that are no design: networks of others, built and counted elsewhere."""

    source: str = field(metadata=key(Text(), "How they were counted."))
    rows: Mapping[str, Mapping[str, int]] = field(
        default_factory=dict,
        metadata=key(Entries(Entries(Integer(1, 10**15), COSTS)), "Label of a published row to its numbers by column."),
    )
    why: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict,
        metadata=key(Entries(Entries(Text(), COLUMNS)), "Label to the reason why ours and the printed number differ."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSection:
    """One row."""

    label: str = field(metadata=key(Text(), "Its name in the table."))
    edits: Mapping[str, Any] = field(
        default_factory=dict,
        metadata=key(Anything(table=True), "What makes it from the base: axis to label, or field to value."),
    )
    preset: str = field(default="", metadata=key(Text(), "Replaces the table's base for this row."))
    size: int | None = field(default=None, metadata=key(SIDE, "Replaces the table's size for this row."))
    part: str = field(default="", metadata=key(Choice(GROUPS), "Part whose shares are the row's costs."))
    match: Mapping[str, Any] | None = field(
        default=None, metadata=key(Anything(table=True), "Cells of the one published row that it is.")
    )
    paper: Mapping[str, PrintedCell] = field(
        default_factory=dict, metadata=key(Entries(Section(PrintedCell), COLUMNS), "Column to what was printed.")
    )
    claim: PrintedClaim | None = field(
        default=None, metadata=key(Section(PrintedClaim), "What the paper says without a number.")
    )
    why: Mapping[str, str] = field(
        default_factory=dict,
        metadata=key(Entries(Text(), COLUMNS), "Column to the reason why ours and the printed number differ."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSection:
    """A whole file."""

    id: str = field(metadata=key(LABEL, "Such as `table-3`."))
    title: str = field(metadata=key(Text(), "What it asks."))
    source: str = field(default="", metadata=key(Text(), "What it reproduces, if it is not your own."))
    base: str = field(metadata=key(Text(), "The preset that the rows edit."))
    size: int = field(default=512, metadata=key(SIDE, "Side of the input in pixels."))
    classes: int | None = field(default=None, metadata=key(CLASSES, "Classes of the logits, if not the preset's."))
    baseline: str = field(default="", metadata=key(Text(), "Label of the row that the others are compared with."))
    columns: tuple[str, ...] = field(
        default=COSTS, metadata=key(Names((*COSTS, *SHARES), "column", may_be_empty=True), "Our cost columns.")
    )
    notes: tuple[str, ...] = field(default=(), metadata=key(Names(may_be_empty=True), "What a reader should know."))
    figure: str = field(default="rows", metadata=key(Choice(FIGURES), "How it is drawn."))
    similar_within: float = field(
        default=SIMILAR_WITHIN, metadata=key(POSITIVE, "Points of mIoU up to which accuracies count as similar.")
    )
    published: PublishedSection | None = field(
        default=None, metadata=key(Section(PublishedSection), "The published table.")
    )
    counted: CountedSection | None = field(
        default=None, metadata=key(Section(CountedSection), "Costs of rows that are no design.")
    )
    rows: tuple[RowSection, ...] = field(default=(), metadata=key(Sections(RowSection, "row"), "The rows, in order."))

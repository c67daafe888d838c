"""Ablation tables as TOML: a base design, rows as edits of it, and what the paper prints beside each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from analysis.records.record import Metric
from analysis.results.ablation import COSTS, Claim, Published
from experiments.ablations.counted import CountedRows
from experiments.ablations.edits import edited, edited_once
from experiments.ablations.published import PublishedTable, claim, inline
from experiments.ablations.sections import SIMILAR_WITHIN, RowSection, TableSection
from search_space.candidate import Candidate
from topformer.errors import InputError, StudyError, unknown_name
from topformer.files import read_toml
from topformer.presets import preset
from topformer.schema import read, refuse

_FOLDER = files("experiments") / "tables"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDefinition:
    """One row as declared.

    Attributes:
        label: Its name in the table.
        candidate: Its design at the paper's size; None for a row that is only published.
        edits: What makes it from the table's base, or from any other one; see `experiments.ablations.edits.edited`.
        preset: Replaces the table's base for this row; such a row has no counterpart on another base.
        part: Part of the network whose shares are the row's costs; empty for the whole.
        published: Column to what was printed.
        claim: What the paper says without a number.
        why: Column to the reason why ours and the printed number differ.
        counted: Column to what was counted, for a row that is no design.
    """

    label: str
    candidate: Candidate | None = None
    edits: Mapping[str, Any] = field(default_factory=dict)
    preset: str = ""
    part: str = ""
    published: Mapping[str, Published] = field(default_factory=dict)
    claim: Claim | None = None
    why: Mapping[str, str] = field(default_factory=dict)
    counted: Mapping[str, Metric] = field(default_factory=dict)

    def on(self, base: Candidate | None) -> Candidate | None:
        """The row's edits on another base, or its own candidate where `base` is None; None where it has no such.

        Raises:
            StudyError: An edit cannot be applied to that base.
        """
        if self.candidate is None or self.part:
            return None
        if base is None:
            return self.candidate
        return None if self.preset else edited(base, self.edits)

    @property
    def words(self) -> str:
        """What makes the row, such as `tiny-dense, injected = 8+16`."""
        return ", ".join([*([self.preset] if self.preset else []), *(f"{k} = {v}" for k, v in self.edits.items())])


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDefinition:
    """One table as declared.

    Attributes:
        id: Such as `table-3`.
        title: What it asks.
        source: What it reproduces; empty for a table of the user's own.
        base: The base design and its size, in words.
        candidate: The same, as data.
        baseline: Label of the row that the others are compared with; empty without one.
        rows: In order.
        columns: Our cost columns.
        notes: What a reader should know.
        figure: One of `FIGURES`.
        similar_within: The largest difference in accuracy that counts as similar, in percentage points.
    """

    id: str
    title: str
    source: str = ""
    base: str
    candidate: Candidate
    baseline: str
    rows: tuple[RowDefinition, ...]
    columns: tuple[str, ...] = COSTS
    notes: tuple[str, ...] = ()
    figure: str = "rows"
    similar_within: float = SIMILAR_WITHIN


def table_names() -> list[str]:
    """Ids of the tables that come with the project: the paper's, in its order, then all others."""
    names = [Path(item.name).stem for item in _FOLDER.iterdir() if item.name.endswith(".toml")]
    return sorted(names, key=_place)


def _place(name: str) -> tuple[int, int, str]:
    kind, _, number = name.partition("-")
    if kind in ("table", "figure") and number.isdecimal():
        return int(kind == "figure"), int(number), name
    return 2, 0, name


def table(name: str) -> TableDefinition:
    """The table of a TOML file, or one that comes with the project, such as `table-3`.

    Raises:
        StudyError: No such file or table, or its content cannot be used; the message names the file and the key.
    """
    if name.endswith(".toml"):
        return load_table(Path(name))
    if name not in table_names():
        raise StudyError(unknown_name("ablation table", name, table_names()) + "; or a file that ends in .toml")
    with as_file(_FOLDER / f"{name}.toml") as path:
        return load_table(path)


def load_table(path: Path) -> TableDefinition:
    """The table of a TOML file; errors as in `table`."""
    try:
        return read_table(read_toml(Path(path), what="table file", error=StudyError))
    except InputError as error:
        prefix = "" if str(path) in str(error) else f"{path}: "
        raise StudyError(f"{prefix}{error}") from None


def read_table(values: Mapping[str, Any]) -> TableDefinition:
    """The table of the tables of a TOML file, checked.

    Raises:
        StudyError: Wrong keys, types or values; an unknown axis, label or field; an edit that changes nothing; two
            equal rows; a baseline that is no row.
        DesignError: There is no such preset, or no network can be built.
    """
    top = read(TableSection, values, "table")
    base = _base(top.base, top.classes, top.size)
    published = PublishedTable.of(top.published)
    counted = CountedRows.of(top.counted)
    rows = [*_rows(top, base, published), *_published_rows(published, counted)]
    counted.check([row.label for row in rows if row.candidate is None])
    check_rows(rows, top.baseline)
    return TableDefinition(
        id=top.id,
        title=top.title,
        source=top.source,
        base=f"{top.base} at {base.height} x {base.width}",
        candidate=base,
        baseline=top.baseline,
        rows=tuple(rows),
        columns=top.columns,
        notes=top.notes,
        figure=top.figure,
        similar_within=top.similar_within,
    )


def _rows(top: TableSection, base: Candidate, published: PublishedTable) -> list[RowDefinition]:
    """The rows of the file; what is wrong with any of them is said at once."""
    rows, problems = [], []
    for row in top.rows:
        try:
            rows.append(_row(row, base, top.baseline, published))
        except InputError as error:
            problems.append(str(error))
    refuse(problems, StudyError)
    return rows


def _published_rows(published: PublishedTable, counted: CountedRows) -> list[RowDefinition]:
    """The rows that are only published."""
    return [
        RowDefinition(label=label, published=cells, counted=counted.costs(label), why=counted.reasons(label))
        for label, cells in published.rest()
    ]


def check_rows(rows: Sequence[RowDefinition], baseline: str) -> None:
    """The rows can be compared.

    Raises:
        StudyError: Two rows have one label or are one network, or the baseline is no row with a design.
    """
    if not rows:
        raise StudyError("table.rows must hold at least one row, got none")
    seen: dict[str, str] = {}
    for row in rows:
        if [other.label for other in rows].count(row.label) > 1:
            raise StudyError(f"rows must have different labels, got {row.label!r} twice")
        if row.candidate is None or row.part:
            continue
        first = seen.setdefault(row.candidate.fingerprint, row.label)
        if first != row.label:
            raise StudyError(f"rows {first!r} and {row.label!r} are the same network ({row.candidate.fingerprint})")
    designed = [row.label for row in rows if row.candidate is not None]
    if baseline and baseline not in designed:
        raise StudyError(unknown_name("baseline", baseline, designed))


def _base(name: str, classes: int | None, side: int) -> Candidate:
    design = preset(name)
    if classes is not None:
        design = replace(design, num_classes=classes)
    return Candidate(design=design, height=side, width=side)


def _row(row: RowSection, base: Candidate, baseline: str, published: PublishedTable) -> RowDefinition:
    where = f"row {row.label!r}"
    try:
        candidate = _checked(_row_base(row, base), row.edits, may_repeat=row.label == baseline)
    except StudyError as error:
        raise StudyError(f"{where}: {error}") from None
    cells = published.match(where, row.match) if row.match is not None else {}
    return RowDefinition(
        label=row.label,
        candidate=candidate,
        edits=dict(row.edits),
        preset=row.preset,
        part=row.part,
        published={**cells, **inline(row.paper)},
        claim=claim(row.claim) if row.claim else None,
        why=row.why,
    )


def _row_base(row: RowSection, base: Candidate) -> Candidate:
    """The table's base, with the row's own preset and size."""
    if row.preset:
        base = _base(row.preset, base.design.num_classes, base.height)
    return base if row.size is None else replace(base, height=row.size, width=row.size)


def _checked(base: Candidate, edits: Mapping[str, Any], *, may_repeat: bool) -> Candidate:
    """The base after the edits, each of which must change it; only the baseline may say what the base already is."""
    candidate = base.canonical()
    for name, value in edits.items():
        after = edited_once(candidate, name, value)
        if after == candidate and not may_repeat:
            raise StudyError(f"edit {name} = {value!r} changes nothing")
        candidate = after
    return candidate

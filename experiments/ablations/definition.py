"""Ablation tables as TOML: a base design, rows as edits of it, and what the paper prints beside each."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from analysis.records.record import Metric
from analysis.results.ablation import COSTS, SHARES, Claim, Published
from experiments.ablations.counted import CountedRows, reasons
from experiments.ablations.edits import edited, edited_once
from experiments.ablations.published import PublishedTable, claim, inline
from search_space.candidate import SMALLEST_SIDE, Candidate
from search_space.cost.parts import GROUPS
from topformer.codec import from_json, to_json
from topformer.errors import InputError, StudyError, unknown_name
from topformer.presets import preset
from topformer.schema import Table

_FOLDER = files("experiments") / "tables"
FIGURES = ("rows", "latency", "shares")
SIMILAR_WITHIN = 1.0
"""Percentage points of mIoU that count as similar where a table does not say otherwise."""

_TABLE_KEYS = (
    "id", "title", "source", "base", "size", "classes", "baseline", "columns", "notes", "figure", "similar_within",
    "published", "counted", "rows",
)  # fmt: skip
_ROW_KEYS = ("label", "edits", "preset", "size", "part", "match", "paper", "claim", "why")


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
        return read_table(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path} is not TOML: {error}") from None
    except UnicodeDecodeError as error:
        raise StudyError(f"{path} is not UTF-8 text: {error}") from None
    except OSError as error:
        raise StudyError(f"table file {path}: {error.strerror}") from None
    except InputError as error:
        raise StudyError(f"{path}: {error}") from None


def read_table(values: Mapping[str, Any]) -> TableDefinition:
    """The table of the tables of a TOML file, checked.

    Raises:
        StudyError: A wrong key, type or value; an unknown axis, label or field; an edit that changes nothing; two
            equal rows; a baseline that is no row; a published value without a source.
        DesignError: There is no such preset, or no network can be built.
    """
    top = Table("table", values, _TABLE_KEYS)
    name = top.text("id")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise StudyError(f"table.id must be lower-case letters, digits, dots and hyphens, got {name!r}")
    base = _base(top.text("base"), values.get("classes"), _side("table.size", values.get("size", 512)))
    baseline = top.text("baseline") if top.has("baseline") else ""
    published = PublishedTable.read(top.table("published"))
    rows = [_row(number, row, base, baseline, published) for number, row in enumerate(_listed(values, "rows"), start=1)]
    counted = CountedRows.read(top.table("counted"))
    rows += [
        RowDefinition(label=label, published=cells, counted=counted.costs(label), why=counted.reasons(label))
        for label, cells in published.rest()
    ]
    counted.check([row.label for row in rows if row.candidate is None])
    definition = TableDefinition(
        id=name,
        title=top.text("title"),
        source=top.text("source") if top.has("source") else "",
        base=f"{values['base']} at {base.height} x {base.width}",
        candidate=base,
        baseline=baseline,
        rows=tuple(rows),
        columns=_columns(values.get("columns", list(COSTS))),
        notes=top.names("notes") if values.get("notes") else (),
        figure=top.among("figure", FIGURES, "rows"),
        similar_within=top.positive("similar_within") or SIMILAR_WITHIN,
    )
    check_rows(definition.rows, baseline)
    return definition


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


def _base(name: str, classes: object, side: int) -> Candidate:
    design = preset(name)
    if classes is not None:
        design = from_json({**to_json(design), "num_classes": classes})
    return Candidate(design=design, height=side, width=side)


def _side(where: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < SMALLEST_SIDE:
        raise StudyError(f"{where} must be an integer of at least {SMALLEST_SIDE} pixels, got {value!r}")
    return value


def _listed(values: Mapping[str, Any], key: str) -> list[Any]:
    value = values.get(key, [])
    if not isinstance(value, list):
        raise StudyError(f"table.{key} must be a list, got {value!r}")
    return value


def _columns(value: object) -> tuple[str, ...]:
    accepted = (*COSTS, *SHARES)
    if not isinstance(value, list):
        raise StudyError(f"table.columns must be a list, got {value!r}")
    for name in value:
        if name not in accepted:
            raise StudyError(unknown_name("column", name, accepted))
    return tuple(value)


def _row(number: int, values: object, base: Candidate, baseline: str, published: PublishedTable) -> RowDefinition:
    where = f"rows[{number}]"
    row = Table(where, values, _ROW_KEYS)
    label = row.text("label")
    where = f"row {label!r}"
    own = _row_base(where, row, base)
    edits = row.table("edits")
    try:
        candidate = _checked(own, edits, may_repeat=label == baseline)
    except StudyError as error:
        raise StudyError(f"{where}: {error}") from None
    cells = published.match(where, row.table("match")) if row.has("match") else {}
    return RowDefinition(
        label=label,
        candidate=candidate,
        edits=dict(edits),
        preset=row.text("preset") if row.has("preset") else "",
        part=row.among("part", GROUPS) if row.has("part") else "",
        published={**cells, **inline(f"{where}.paper", row.table("paper"))},
        claim=claim(f"{where}.claim", row.table("claim")) if row.has("claim") else None,
        why=reasons(where, row.table("why")),
    )


def _row_base(where: str, row: Table, base: Candidate) -> Candidate:
    """The table's base, with the row's own preset and size."""
    if row.has("preset"):
        classes = base.design.num_classes
        base = _base(row.text("preset"), classes, base.height)
    if row.has("size"):
        side = _side(f"{where}.size", row.integer("size"))
        base = replace(base, height=side, width=side)
    return base


def _checked(base: Candidate, edits: Mapping[str, Any], *, may_repeat: bool) -> Candidate:
    """The base after the edits, each of which must change it; only the baseline may say what the base already is."""
    candidate = base.canonical()
    for name, value in edits.items():
        after = edited_once(candidate, name, value)
        if after == candidate and not may_repeat:
            raise StudyError(f"edit {name} = {value!r} changes nothing")
        candidate = after
    return candidate

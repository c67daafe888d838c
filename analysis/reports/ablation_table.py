"""Ablation tables as text: cells for a terminal, Markdown, LaTeX (booktabs) and CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.results.ablation import COLUMNS, COSTS, SHARES, UNKNOWN, Ablation, Evaluation, Measured, Row
from analysis.results.effects import Agreement

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts.

    Attributes:
        title: What it shows.
        header: Column headings; the first column holds labels, the others numbers.
        rows: One text per column.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def grids(table: Ablation) -> tuple[Grid, ...]:
    """What is counted and predicted beside what is printed; then what was measured, if anything was."""
    first = Grid(
        f"Cost of {table.base}, ours beside the printed figures" if table.columns else "Printed figures",
        ("row", *_cost_header(table)),
        tuple((_label(table, row), *_cost_cells(table, row)) for row in table.rows),
    )
    return (first,) if table.evaluation is None else (first, _accuracy_grid(table, table.evaluation))


def _cost_header(table: Ablation) -> list[str]:
    header = []
    for name in (*COSTS, *SHARES):
        heading = COLUMNS[name].heading
        header += [heading] if name in table.columns else []
        header += [f"{heading}, printed"] if name in table.printed else []
    return header + [f"{COLUMNS[name].heading}, printed" for name in table.published_accuracy]


def _cost_cells(table: Ablation, row: Row) -> list[str]:
    cells = []
    for name in (*COSTS, *SHARES):
        cells += [_ours(row, name)] if name in table.columns else []
        cells += [_printed(table, row, name)] if name in table.printed else []
    return cells + [_printed(table, row, name) for name in table.published_accuracy]


def _ours(row: Row, name: str) -> str:
    metric, column = row.costs.get(name), COLUMNS[name]
    if metric is None:
        return ""
    shown = f"{column.scale * metric.value:.{column.places}f}"
    if metric.low is None or metric.high is None:
        return shown
    low, high = (f"{column.scale * end:.{column.places}f}" for end in (metric.low, metric.high))
    return f"{shown} [{low}, {high}]"


def _printed(table: Ablation, row: Row, name: str) -> str:
    """The printed number, with the number of its footnote; what the paper says in words where it is not known."""
    cell = row.published.get(name)
    text = "" if cell is None else str(cell)
    if text == UNKNOWN and name == "miou" and row.claim is not None:
        text = f"{UNKNOWN} ({row.claim.direction})"
    notes = footnotes(table)
    return text + "".join(
        f" [{number}]" for number, (label, column, _) in notes.items() if (label, column) == (row.label, name)
    )


def footnotes(table: Ablation) -> dict[int, tuple[str, str, str]]:
    """Number to row, column and text: why ours and the printed number differ."""
    found = [
        (row.label, name, row.why.get(name, "the printed figure differs from ours; no reason is known"))
        for row in table.rows
        for name in COLUMNS
        if row.differs(name)
    ]
    return dict(enumerate(found, start=1))


def _label(table: Ablation, row: Row) -> str:
    return f"{row.label} (baseline)" if row.label == table.baseline else row.label


def _accuracy_grid(table: Ablation, source: Evaluation) -> Grid:
    header = [
        "row", f"{source.metric} (%), mean [95 %]", "sd", "seeds", "minus baseline [95 %]", "p (Holm)", "group",
    ]  # fmt: skip
    says = bool(table.source) and bool(table.baseline)
    rows = []
    for row in table.rows:
        if row.measured is None:
            continue
        cells = [_label(table, row), *_measured_cells(row.measured)]
        if says:
            cells += [_said(row, is_baseline=row.label == table.baseline), str(row.measured.agreement or "")]
        rows.append(tuple(cells))
    title = f"Accuracy on base {source.base} at {source.size}, {source.budget:,} updates, measured"
    return Grid(title, (*header, *(["the paper", "verdict"] if says else [])), tuple(rows))


def _measured_cells(row: Measured) -> list[str]:
    if row.same_as:
        return [f"the same network as {row.same_as!r} on this base", *[""] * 5]
    found, gap = row.summary, row.difference
    if found is None:
        return [f"failed: {next(iter(row.failed.values()))}" if row.failed else "not run", *[""] * 5]
    mean = f"{found.mean:.2f}" + (f" [{found.low:.2f}, {found.high:.2f}]" if found.low is not None else "")
    seeds = str(found.n) + (f" ({len(row.failed)} failed)" if row.failed else "")
    difference, chance = "", ""
    if gap is not None:
        difference = f"{gap.mean:+.2f}" + (f" [{gap.low:+.2f}, {gap.high:+.2f}]" if gap.low is not None else "")
        chance = "" if gap.p_holm is None else _chance(gap.p_holm)
    return [mean, "" if found.sd is None else f"{found.sd:.2f}", seeds, difference, chance, row.group]


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _said(row: Row, *, is_baseline: bool) -> str:
    cell = row.published.get("miou")
    number = "" if cell is None or cell.value is None else f"{cell} printed"
    return ", ".join(part for part in (number, str(row.claim.direction) if row.claim else "") if part) or (
        "" if is_baseline else UNKNOWN
    )


def verdicts(table: Ablation) -> str:
    """How many rows go the paper's way, in words; empty where nothing was measured."""
    found = [row.measured.agreement for row in table.rows if row.measured is not None and row.measured.agreement]
    counts = [(kind, found.count(kind)) for kind in Agreement]
    return ", ".join(f"{count} {kind}" for kind, count in counts if count)


def remarks(table: Ablation) -> list[str]:
    """Everything below a table: footnotes, how the statistics are to be read, notes, sources of inferred numbers."""
    lines = [
        f"[{number}] {label}, {COLUMNS[column].heading}: {text}"
        for number, (label, column, text) in footnotes(table).items()
    ]
    source = table.evaluation
    if source is not None:
        lines += _statistics(table, source)
    lines += [
        f"{row.label}: the paper says {row.claim.direction} ({row.claim.source})" for row in table.rows if row.claim
    ]
    lines += _inferred(table)
    return [*lines, *table.notes]


def _statistics(table: Ablation, source: Evaluation) -> list[str]:
    lines = [*source.power]
    if source.residual_sd is not None:
        lines.append(
            f"Differences are paired over seeds {', '.join(map(str, source.common))}; their interval rests on the "
            f"residual of rows by seeds, sd {source.residual_sd:.2f} with {source.residual_degrees} degrees of freedom."
        )
        lines.append("Rows that share a letter cannot be told apart (all pairs, Holm, 5 %).")
    if len(source.common) < len(source.seeds):
        lines.append(
            f"Of the {len(source.seeds)} seeds asked for, {len(source.common)} ran in every row that ran at all."
        )
    if table.source:
        lines.append(
            f"{source.metric} is not the accuracy that the paper prints: directions can be compared, numbers cannot."
        )
    return lines


def _inferred(table: Ablation) -> list[str]:
    cells = [
        (row.label, name, cell) for row in table.rows for name, cell in row.published.items() if cell.value is not None
    ]
    return [
        f"{label}, {COLUMNS[name].heading} printed: {cell.source}"
        for label, name, cell in cells
        if cell.source != table.source and name in table.published_accuracy
    ]


def markdown(table: Ablation) -> str:
    """The table as Markdown."""
    parts = [f"# {heading(table)}", ""]
    for grid in grids(table):
        lines = [grid.header, ["---", *["---:"] * (len(grid.header) - 1)], *grid.rows]
        parts += [f"{grid.title}:", "", *(f"| {' | '.join(map(_pipe, line))} |" for line in lines), ""]
    return "\n".join([*parts, *(f"- {line}" for line in remarks(table))]) + "\n"


def heading(table: Ablation) -> str:
    """Id or number in the paper, and title."""
    name = table.id.replace("-", " ").capitalize() if table.source else table.id
    return f"{name}: {table.title}"


def _pipe(text: str) -> str:
    return text.replace("|", "\\|")


def latex(table: Ablation) -> str:
    """The table as LaTeX for the package booktabs: one `tabular` for each grid, in one `table`."""
    parts = [r"\begin{table}", r"\centering", r"\small", rf"\caption{{{_tex(heading(table))}}}"]
    parts.append(rf"\label{{tab:{table.id}}}")
    for grid in grids(table):
        parts += [
            rf"\begin{{tabular}}{{l{'r' * (len(grid.header) - 1)}}}",
            r"\toprule",
            _tex_line(grid.header),
            r"\midrule",
            *map(_tex_line, grid.rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    parts += [rf"\par\footnotesize {_tex(line)}" for line in remarks(table)]
    return "\n".join([*parts, r"\end{table}"]) + "\n"


def _tex(text: str) -> str:
    return text.translate(_LATEX)


def _tex_line(cells: Iterable[str]) -> str:
    return " & ".join(map(_tex, cells)) + r" \\"


def csv_table(table: Ablation) -> str:
    """The table for programs: unrounded numbers, one line per row, one column per seed."""
    rows = [_flat(row) for row in table.rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(row: Row) -> dict[str, object]:
    cells: dict[str, object] = {"row": row.label, "edits": row.edits, "fingerprint": row.fingerprint}
    for name, metric in row.costs.items():
        cells[name] = metric.value
        if metric.low is not None:
            cells |= {f"{name}:low": metric.low, f"{name}:high": metric.high}
    for name, cell in row.published.items():
        cells |= {
            f"printed:{name}": UNKNOWN if cell.value is None else cell.value,
            f"printed:{name}:source": cell.source,
        }
    if row.claim is not None:
        cells["claim"] = str(row.claim.direction)
    return cells | (_flat_measured(row.measured) if row.measured is not None else {})


def _flat_measured(row: Measured) -> dict[str, object]:
    cells: dict[str, object] = {"measured:fingerprint": row.fingerprint}
    parts: Sequence[tuple[object, tuple[str, ...]]] = (
        (row.summary, ("mean", "sd", "low", "high", "n")),
        (row.difference, ("mean", "low", "high", "p", "p_holm", "own_low", "own_high", "own_p")),
    )
    for prefix, (part, names) in zip(("measured", "difference"), parts, strict=True):
        for name in names:
            cells[f"{prefix}:{name}"] = "" if part is None else getattr(part, name)
    cells |= {"group": row.group, "verdict": str(row.agreement or ""), "same_as": row.same_as}
    return cells | {f"seed:{seed}": score for seed, score in row.scores.items()}

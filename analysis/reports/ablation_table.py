"""What an ablation table says: its cells, its remarks, its numbers; and the same as Markdown, LaTeX and CSV."""

from collections.abc import Sequence

from pandas import DataFrame

from analysis.reports import text_table
from analysis.reports.text_table import LATEX_PACKAGES, TextTable, csv_text, latex_text, one_line
from analysis.results.ablation import COLUMNS, COSTS, SHARES, UNKNOWN, Ablation, AblationRow, Evaluation, MeasuredRow
from analysis.results.effects import Agreement, Difference, Summary
from analysis.results.power import MOST_SEEDS

_SPEED = ("latency_ms", "latency_share")

Number = str | float | None
"""A cell for programs: a text, a number, or None where it is not known."""


def text_tables(table: Ablation) -> tuple[TextTable, ...]:
    """What is counted and predicted beside what is printed; then what was measured, if anything was.

    Each holds few columns, so that it can be read in a terminal and in a column of text.
    """
    measured = () if table.evaluation is None else _accuracy_tables(table, table.evaluation)
    return (*_cost_tables(table), *measured)


def _cost_tables(table: Ablation) -> list[TextTable]:
    """Size, then speed and printed accuracy; one table where there are printed numbers alone."""
    if not table.columns:
        return [_cost_table(table, "Printed figures", table.printed)]
    names = [name for name in (*COSTS, *SHARES) if name in (*table.columns, *table.printed)]
    size, speed = ([name for name in names if (name in _SPEED) is is_speed] for is_speed in (False, True))
    ending = f"{_whose(table)}, ours beside the printed figures"
    title = f"Latency{ending}" if speed else "Accuracy, printed"
    parts = [(f"Size{ending}", size), (title, [*speed, *table.published_accuracy])]
    return [_cost_table(table, title, columns) for title, columns in parts if columns]


def _whose(table: Ablation) -> str:
    """Whose costs these are: of one network's parts, of its edits, or of networks of their own."""
    if set(table.columns) & set(SHARES):
        return f" of {table.base} by part"
    return f" of {table.base}, edited row by row" if table.baseline else ""


def _cost_table(table: Ablation, title: str, names: Sequence[str]) -> TextTable:
    """The named columns, each as far as there are numbers of ours and printed ones."""
    header, cells = ["row"], [[_label(table, row)] for row in table.rows]
    for name in (name for name in COLUMNS if name in names):
        if name in table.columns:
            header.append(COLUMNS[name].heading)
            cells = [[*line, _ours(row, name)] for line, row in zip(cells, table.rows, strict=True)]
        if name in table.printed:
            header.append(f"{COLUMNS[name].heading}, printed")
            cells = [[*line, _printed(table, row, name)] for line, row in zip(cells, table.rows, strict=True)]
    return TextTable.of(title, header, cells)


def _ours(row: AblationRow, name: str) -> str:
    metric, column = row.costs.get(name), COLUMNS[name]
    if metric is None:
        return ""
    shown = f"{column.scale * metric.value:.{column.places}f}"
    if metric.low is None or metric.high is None:
        return shown
    low, high = (f"{column.scale * end:.{column.places}f}" for end in (metric.low, metric.high))
    return f"{shown} [{low}, {high}]"


def _printed(table: Ablation, row: AblationRow, name: str) -> str:
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
    reasons = [
        (row.label, name, row.why.get(name, "the printed figure differs from ours; no reason is known"))
        for row in table.rows
        for name in COLUMNS
        if row.differs(name)
    ]
    return dict(enumerate(reasons, start=1))


def _label(table: Ablation, row: AblationRow) -> str:
    return f"{row.label} (baseline)" if row.label == table.baseline else row.label


def _accuracy_tables(table: Ablation, source: Evaluation) -> tuple[TextTable, ...]:
    """The scores of each row; then, where there is a baseline, what they differ from it by."""
    rows = [row for row in table.rows if row.measured is not None]
    where = f"on {source.base} at {source.size}, {source.spent}"
    scores = TextTable.of(
        f"Measured {where}",
        ["row", f"{source.label}, mean [95 %]", "sd", "seeds", "group"],
        [[_label(table, row), *_score_cells(row.measured)] for row in rows if row.measured is not None],
    )
    if not table.baseline:
        return (scores,)
    header = ["row", "minus baseline [95 %]", "p (Holm)", *(["the paper", "verdict"] if table.source else [])]
    gaps = [[_label(table, row), *_gap_cells(row, row.measured, has_claims=bool(table.source))]
            for row in rows if row.measured is not None and row.label != table.baseline]  # fmt: skip
    return scores, TextTable.of(f"Differences {where}", header, gaps, left=["the paper", "verdict"])


def _score_cells(row: MeasuredRow) -> list[str]:
    if row.same_as:
        return [f"the same network as {row.same_as!r} on this base", "", "", ""]
    if row.summary is None:
        return [f"failed: {next(iter(row.failed.values()))}" if row.failed else "not run", "", "", ""]
    seeds = str(row.summary.n) + (f" ({len(row.failed)} failed)" if row.failed else "")
    return [*_mean_cells(row.summary), seeds, row.group]


def _gap_cells(row: AblationRow, measured: MeasuredRow, *, has_claims: bool) -> list[str]:
    cells = difference_cells(measured.difference)
    return [*cells, paper_words(row), verdict(measured)] if has_claims else cells


def verdict(row: MeasuredRow) -> str:
    """The verdict; where there is none, the number of seeds that one would need."""
    if row.agreement is not Agreement.CANNOT_TELL or row.difference is None or row.difference.error is None:
        return str(row.agreement or "")
    seeds = f"over {MOST_SEEDS:,}" if row.seeds_for_verdict is None else f"about {row.seeds_for_verdict}"
    return f"{row.agreement} ({seeds} seeds)"


def _mean_cells(scores: Summary) -> list[str]:
    interval = f" [{scores.low:.2f}, {scores.high:.2f}]" if scores.low is not None else ""
    return [f"{scores.mean:.2f}{interval}", "" if scores.sd is None else f"{scores.sd:.2f}"]


def difference_cells(gap: Difference | None) -> list[str]:
    """A difference with its interval, and its p-value corrected by Holm; empty texts where there is none."""
    if gap is None:
        return ["", ""]
    interval = f" [{gap.low:+.2f}, {gap.high:+.2f}]" if gap.low is not None else ""
    return [f"{gap.mean:+.2f}{interval}", "" if gap.p_holm is None else _chance(gap.p_holm)]


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def paper_words(row: AblationRow) -> str:
    """What the paper says of a row, by its number, by its words, or by both."""
    cell = row.published.get("miou")
    number = "" if cell is None or cell.value is None else f"{cell} printed"
    return ", ".join(part for part in (number, str(row.claim.direction) if row.claim else "") if part) or UNKNOWN


def verdicts(table: Ablation) -> str:
    """How many rows go the paper's way, in words; empty where nothing was measured."""
    agreements = [row.measured.agreement for row in table.rows if row.measured is not None and row.measured.agreement]
    counts = [(kind, agreements.count(kind)) for kind in Agreement]
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
    return [*map(one_line, lines), *map(one_line, table.notes)]


def _statistics(table: Ablation, source: Evaluation) -> list[str]:
    lines = [*source.power]
    rows = [row.measured for row in table.rows if row.measured is not None]
    if any(row.difference is not None and row.difference.error is not None for row in rows):
        lines.append(
            "Differences by Welch's test, which lets every row have its own noise. Their 95 % intervals are not "
            "corrected for the number of comparisons; p is, by Holm."
        )
    if any(row.group for row in rows):
        lines.append("Of rows that share a letter, no two are shown to differ (all pairs, Welch, Holm, 5 %).")
    if any(row.seeds_for_verdict is not None for row in rows):
        lines.append(
            "Seeds behind a verdict: so many of each row could judge the claim, if the measured difference is the "
            "true one."
        )
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


def heading(table: Ablation) -> str:
    """Id or number in the paper, and title."""
    name = table.id.replace("-", " ").capitalize() if table.source else table.id
    return one_line(f"{name}: {table.title}")


def markdown(table: Ablation) -> str:
    """The table as Markdown, with everything below it."""
    parts = [f"# {heading(table)}\n\n"]
    parts += [f"{part.title}:\n\n{text_table.markdown(part)}\n" for part in text_tables(table)]
    return "".join([*parts, *(f"- {line}\n" for line in remarks(table))])


def latex(table: Ablation) -> str:
    """The table as LaTeX: a float for each of `text_tables`, and the remarks as a list."""
    parts = [f"% needs \\usepackage{{{','.join(LATEX_PACKAGES)}}}\n"]
    for number, part in enumerate(text_tables(table), start=1):
        # LaTeX numbers its tables itself: the number in the paper is part of the source.
        caption = f"{table.title}{f' ({table.source})' if table.source else ''}. {part.title}."
        parts.append(text_table.latex(part, caption=caption, label=f"tab:{table.id}-{number}"))
    lines = [rf"\item {latex_text(line)}" for line in remarks(table)]
    if lines:
        parts.append("\n".join([r"{\footnotesize", r"\begin{itemize}", *lines, r"\end{itemize}}", ""]))
    return "".join(parts)


def csv_table(table: Ablation) -> str:
    """The table for programs: numbers with every digit, one line per row, one column per seed; empty is unknown."""
    rows = [_numbers(row) for row in table.rows]
    return csv_text(DataFrame(rows, columns=list(dict.fromkeys(name for row in rows for name in row)), dtype=object))


def _numbers(row: AblationRow) -> dict[str, Number]:
    cells: dict[str, Number] = {"row": row.label, "edits": row.edits, "fingerprint": row.fingerprint}
    for name, metric in row.costs.items():
        cells[name] = metric.value
        if metric.low is not None:
            cells |= {f"{name}:low": metric.low, f"{name}:high": metric.high}
    for name, cell in row.published.items():
        cells |= {f"printed:{name}": cell.value, f"printed:{name}:source": cell.source}
    if row.claim is not None:
        cells["claim"] = str(row.claim.direction)
    return cells | (_measured_numbers(row.measured) if row.measured is not None else {})


def _measured_numbers(row: MeasuredRow) -> dict[str, Number]:
    cells: dict[str, Number] = {"measured:fingerprint": row.fingerprint}
    for name in ("mean", "sd", "low", "high", "n"):
        cells[f"measured:{name}"] = getattr(row.summary, name, None)
    for name in ("mean", "error", "degrees", "low", "high", "p", "p_holm"):
        cells[f"difference:{name}"] = getattr(row.difference, name, None)
    cells |= {"group": row.group, "verdict": str(row.agreement or ""), "seeds_for_verdict": row.seeds_for_verdict}
    cells["same_as"] = row.same_as
    return cells | {f"seed:{seed}": score for seed, score in row.scores.items()}

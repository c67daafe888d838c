"""The files of an ablation: each table in five forms with its figure, and one page that holds all."""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from analysis.reports.ablation_table import csv_table, heading, latex, markdown, remarks, text_tables, verdicts
from analysis.reports.text_table import TextTable, html
from analysis.results.ablation import Ablation
from topformer.errors import StorageError

PAGE = "ablations.html"
TABLES = "tables"
FORMS = ("md", "tex", "csv", "json", "png", "svg")

_CSS = """
body { font: 15px/1.5 system-ui, sans-serif; color: #333; max-width: 76em; margin: 2em auto; padding: 0 1em }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5em; border-top: 1px solid #ddd; padding-top: 1em }
.scroll { overflow-x: auto } table { border-collapse: collapse; margin: .5em 0 1em; font-size: 13px }
caption { text-align: left; font-weight: 600; padding: .3em 0 }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #e5e5e5; white-space: nowrap }
th:first-child, td:first-child { text-align: left } thead th { border-bottom: 2px solid #999; white-space: normal }
img { max-width: 100% } ul { font-size: 13px; color: #555 } a { color: #0072B2 } .files { font-size: 13px }
"""


@dataclass(frozen=True, slots=True)
class AblationFiles:
    """Where the files of an ablation are.

    Attributes:
        page: All tables and figures in one file.
        tables: Folder of the single tables, each as `ID.md`, `.tex`, `.csv`, `.json`, `.png` and `.svg`.
    """

    page: Path
    tables: Path


def write_ablations(tables: Sequence[Ablation], folder: Path) -> AblationFiles:
    """Write every table in every form, and the page.

    Args:
        tables: In the order of the page.
        folder: Where the page goes; the tables go into `tables/` below it.

    Raises:
        StorageError: A file cannot be written.
    """
    # Only here: matplotlib takes longer to import than all the rest to run.
    from analysis.plots.ablation import save_figure

    files = AblationFiles(page=Path(folder) / PAGE, tables=Path(folder) / TABLES)
    try:
        files.tables.mkdir(parents=True, exist_ok=True)
        for table in tables:
            texts = {
                "md": markdown(table),
                "tex": latex(table),
                "csv": csv_table(table),
                "json": json.dumps(table.to_json(), indent=1, allow_nan=False) + "\n",
            }
            for form, text in texts.items():
                (files.tables / f"{table.id}.{form}").write_text(text, encoding="utf-8")
            save_figure(table, files.tables / f"{table.id}.png", files.tables / f"{table.id}.svg")
        figures = {table.id: (files.tables / f"{table.id}.svg").read_bytes() for table in tables}
        files.page.write_text(ablations_html(tables, figures), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error
    return files


def ablations_html(tables: Sequence[Ablation], figures: dict[str, bytes]) -> str:
    """The page as HTML that needs no other file; the links to the single tables are relative.

    Args:
        tables: In order.
        figures: Id of a table to its figure as SVG.
    """
    contents = TextTable.of(
        "Tables",
        ("table", "rows", "against the paper"),
        [(heading(table), str(len(table.rows)), verdicts(table) or "not measured") for table in tables],
    )
    targets = [f"#{table.id}" for table in tables]
    body = "\n".join(_section(table, figures[table.id]) for table in tables)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>TopFormer ablations</title>\n'
        f"<style>{_CSS}</style>\n</head>\n<body>\n<h1>TopFormer ablations</h1>\n{html(contents, targets)}\n"
        f"{body}\n</body>\n</html>\n"
    )


def _section(table: Ablation, figure: bytes) -> str:
    image = b64encode(figure).decode("ascii")
    files = ", ".join(f'<a href="{TABLES}/{table.id}.{form}">{form}</a>' for form in FORMS)
    notes = "\n".join(f"<li>{escape(line)}</li>" for line in remarks(table))
    source = f" Reproduces {escape(table.source)}." if table.source else ""
    return "\n".join(
        [
            f'<h2 id="{table.id}">{escape(heading(table))}</h2>',
            f'<p class="files">{source} Files: {files}. <a href="#">Up</a></p>',
            *map(html, text_tables(table)),
            f'<img alt="{escape(heading(table))}" src="data:image/svg+xml;base64,{image}">',
            f"<ul>\n{notes}\n</ul>",
        ]
    )

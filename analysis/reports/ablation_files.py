"""The files of ablation tables, each in six forms."""

import json
from collections.abc import Sequence
from pathlib import Path

from analysis.reports.ablation_table import csv_table, latex, markdown
from analysis.results.ablation import Ablation
from topformer.errors import StorageError

TABLES = "tables"
"""Folder of the files, below that of the run."""
FORMS = ("md", "tex", "csv", "json", "png", "svg")


def write_tables(tables: Sequence[Ablation], folder: Path) -> Path:
    """Write every table as `tables/ID.md`, `.tex`, `.csv`, `.json`, `.png` and `.svg`; gives the folder `tables`.

    Args:
        tables: In order.
        folder: Where `tables/` goes.

    Raises:
        StorageError: A file cannot be written.
    """
    # Only here: matplotlib takes longer to import than all the rest to run.
    from analysis.plots.ablation import save_figure

    place = Path(folder) / TABLES
    try:
        place.mkdir(parents=True, exist_ok=True)
        for table in tables:
            texts = {
                "md": markdown(table),
                "tex": latex(table),
                "csv": csv_table(table),
                "json": json.dumps(table.to_json(), indent=1, allow_nan=False) + "\n",
            }
            for form, text in texts.items():
                (place / f"{table.id}.{form}").write_text(text, encoding="utf-8")
            save_figure(table, place / f"{table.id}.png", place / f"{table.id}.svg")
    except OSError as error:
        raise StorageError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error
    return place

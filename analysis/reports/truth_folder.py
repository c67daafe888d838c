"""A truth table as files that others can use: two CSV and their protocol."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.reports.text_table import csv_lines
from analysis.results.truth_files import AXIS, DESIGNS, GROUP, PROTOCOL, RUNG, SCHEMA, SCORE, SCORES
from analysis.results.truth_table import COSTS, Rung, Score, TableDesign, TruthTable
from topformer.errors import StorageError
from topformer.files import check_place, read_object, write_json, write_text

LICENCE = "Apache-2.0"
_DIGITS = 6


def write_truth(table: TruthTable, folder: Path, protocol: Mapping[str, Any]) -> tuple[Path, ...]:
    """Write a table into a folder, which is made where there is none; gives the files.

    Args:
        table: The table.
        folder: Its place.
        protocol: How the truth was made.

    Raises:
        InputError: There are other files by the names of a table's.
        StorageError: The disk does not take it.
    """
    paths = folder / PROTOCOL, folder / DESIGNS, folder / SCORES
    made = _is_table(folder)
    for path in paths:
        check_place(path, lambda _: made, (), made="truth table of topformer truth freeze")
    write_text(paths[1], csv_lines(_designs(table), digits=_DIGITS))
    write_text(paths[2], csv_lines(_scores(table), digits=_DIGITS))
    head = {"schema": SCHEMA, "licence": LICENCE, "truth": table.truth.name}
    write_json(paths[0], {**protocol, **head, "fixed_seconds": dict(table.fixed_seconds)})
    return paths


def _is_table(folder: Path) -> bool:
    try:
        return {"schema", "truth", "fixed_seconds"} <= read_object(folder / PROTOCOL).keys()
    except StorageError:
        return False


def _designs(table: TruthTable) -> list[list[object]]:
    axes = list(dict.fromkeys(name for one in table.designs.values() for name in one.labels))
    head: list[object] = ["fingerprint", *(f"{AXIS}{name}" for name in axes), *COSTS]

    def line(one: TableDesign) -> list[object]:
        return [one.fingerprint, *(one.labels.get(name, "") for name in axes), *map(one.costs.get, COSTS)]

    return [head, *map(line, table.designs.values())]


def _scores(table: TruthTable) -> list[list[object]]:
    all_scores = [score for found in table.scores.values() for score in found]
    groups = list(dict.fromkeys(name for score in all_scores for name in score.groups))
    head: list[object] = [*RUNG, *SCORE, *(f"{GROUP}{name}" for name in groups)]

    def line(rung: Rung, score: Score) -> list[object]:
        own = [getattr(rung, name) for name in RUNG] + [getattr(score, name) for name in SCORE]
        return [*own, *map(score.groups.get, groups)]

    return [head, *(line(rung, score) for rung, found in table.scores.items() for score in found)]

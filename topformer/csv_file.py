"""CSV files as people, spreadsheets and programs write them: read with their line numbers, or refused in a sentence."""

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from topformer.errors import ExplorerError, InputError
from topformer.files import MIB, read_text

LARGEST = 256 * MIB
"""Bytes of such a file: the costs of a million designs have 160 million."""


class CsvLine(NamedTuple):
    """A line below the header.

    Attributes:
        where: File and line, for messages.
        cells: Column to text; None where the line ends before it.
    """

    where: str
    cells: dict[str, str | None]


class CsvFile(NamedTuple):
    """What a file holds.

    Attributes:
        columns: Their names, each once; none of an empty file.
        delimiter: What stands between two values.
        lines: In the order of the file.
    """

    columns: tuple[str, ...]
    delimiter: str
    lines: tuple[CsvLine, ...]


def read_csv(
    path: Path,
    *,
    what: str = "table",
    error: type[ExplorerError] = InputError,
    most: int = LARGEST,
    delimiters: str = ",",
) -> CsvFile:
    """The lines of a CSV file, some of which may end early.

    Args:
        path: The file.
        what: What it should be, for messages.
        error: What is raised.
        most: Largest size in bytes.
        delimiters: What may stand between values; that is taken which the first line has most of.

    Raises:
        error: As in `read_text`, or the file is no CSV, two columns have one name, or a line has more values than that.
    """
    text = read_text(path, what=what, error=error, most=most)
    delimiter = max(delimiters, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = tuple(next(reader, ()))
        _check_different(columns, path, error)
        lines = tuple(_lines(reader, columns, path, error))
    except csv.Error as cause:
        raise error(f"{path}, line {reader.line_num}: {cause}") from None
    return CsvFile(columns, delimiter, lines)


def whole_lines(
    path: Path,
    needed: Sequence[str],
    optional: Collection[str] | None = None,
    *,
    what: str = "table",
    error: type[ExplorerError] = InputError,
    most: int = LARGEST,
) -> list[dict[str, str]]:
    """The lines of a CSV file of whose cells none is missing.

    Args:
        path: The file.
        needed: Columns that there must be.
        optional: Others that there may be; any, in any order, if None.
        what: What it should be, for messages.
        error: What is raised.
        most: Largest size in bytes.

    Raises:
        error: As in `read_csv`, or there are other columns, or a line has more or fewer values than there are columns.
    """
    found = read_csv(path, what=what, error=error, most=most)
    is_theirs = (
        set(needed) <= set(found.columns)
        if optional is None
        else [name for name in found.columns if name not in optional] == list(needed)
    )
    if not is_theirs:
        raise error(f"{path} must have the columns {', '.join(needed)}, got {', '.join(found.columns)[:200] or 'none'}")
    whole = []
    for where, cells in found.lines:
        texts = {name: text for name, text in cells.items() if text is not None}
        if len(texts) != len(found.columns):
            raise error(f"{where}: there must be {len(found.columns)} values, as in the first line")
        whole.append(texts)
    return whole


def _check_different(columns: Sequence[str], path: Path, error: type[ExplorerError]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise error(f"{path} has two columns of the name {twice[0]!r}")


def _lines(reader: Any, columns: Sequence[str], path: Path, error: type[ExplorerError]) -> Iterator[CsvLine]:
    for values in reader:
        if not values:
            continue
        where = f"{path}, line {reader.line_num}"
        # Some programs end every line with a delimiter.
        if any(values[len(columns) :]):
            raise error(f"{where}: there must be {len(columns)} values, as in the first line, got {len(values)}")
        yield CsvLine(where, dict(zip_longest(columns, values[: len(columns)])))

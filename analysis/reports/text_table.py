"""One table in every form: CSV for programs; Markdown and LaTeX for people."""

import csv
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from itertools import zip_longest
from math import isfinite
from numbers import Integral, Real
from typing import NamedTuple

from pandas import DataFrame

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# CommonMark starts a tag at "<" before a letter, "/", "!" or "?", and an entity at "&" before a name or "#".
_TAG, _ENTITY = re.compile(r"<(?=[A-Za-z/!?])"), re.compile(r"&(?=#?\w+;)")
_MINUS = re.compile(r"(?<![\w.])-(?=\d)")
_FORMULA = ("=", "+", "-", "@")
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
        # The default font encoding of LaTeX has other characters in these places.
        "<": "$<$",
        ">": "$>$",
        "|": "$|$",
        '"': "''",
        "\u00a0": "~",
    }
)
_HEAD_CHARACTERS, _CELL_CHARACTERS = 12, 28
"""Where a heading and a cell are broken into lines."""

_LABEL_CHARACTERS = (30, 24, 20)
"""Where a label is broken into lines in a terminal, tried in this order."""

LATEX_PACKAGES = ("booktabs", "graphicx")
"""What a document must load to take the output of `latex`."""


@dataclass(frozen=True, slots=True, eq=False)
class TextTable:
    """A table as people read it.

    Attributes:
        title: What it shows.
        cells: One text per cell; the first column holds the labels of the rows.
        left: Further columns of words, set flush left; all others hold numbers and are set flush right.
    """

    title: str
    cells: DataFrame
    left: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, title: str, header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[str] = ()
    ) -> "TextTable":
        """The table of these rows; control characters and line breaks in a cell become spaces."""
        cells = [[one_line(cell) for cell in row] for row in rows]
        return cls(one_line(title), DataFrame(cells, columns=[*map(one_line, header)], dtype=object), tuple(left))

    @property
    def header(self) -> tuple[str, ...]:
        """The headings."""
        return tuple(self.cells.columns)

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The cells, row by row."""
        return tuple(self.cells.itertuples(index=False, name=None))

    @property
    def is_left(self) -> tuple[bool, ...]:
        """Whether each column is set flush left."""
        return tuple(index == 0 or name in self.left for index, name in enumerate(self.header))


def one_line(text: str) -> str:
    """The text without what would break its line or drive a terminal: control characters become a space."""
    return _CONTROL.sub(" ", text)


def csv_text(frame: DataFrame, *, digits: int | None = None) -> str:
    """A frame for programs: numbers without a thousands separator, and nothing where a number is not known.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.

    Args:
        frame: Numbers and texts.
        digits: Significant digits of a number that is not whole; all of them if None.
    """
    rows = frame.astype(object).itertuples(index=False, name=None)
    return csv_lines([[str(name) for name in frame.columns], *rows], digits=digits)


def csv_lines(rows: Iterable[Iterable[object]], *, digits: int | None = None) -> str:
    """Rows as lines of a CSV, their cells as in `csv_text`: for tables that are too long to be a frame.

    Args:
        rows: Numbers, texts, and None where nothing is known.
        digits: Significant digits of a number that is not whole; all of them if None.
    """
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([_csv_cell(cell, digits) for cell in row] for row in rows)
    return text.getvalue()


def _csv_cell(value: object, digits: int | None) -> str:
    # The types of Python first: asking whether a value is any kind of number takes ten times as long.
    if value is None:
        return ""
    if isinstance(value, str):
        return _harmless(value)
    if isinstance(value, (float, int)):
        return _number(float(value), digits) if isinstance(value, float) else str(int(value))
    if isinstance(value, Integral):
        return str(int(value))
    return _number(float(value), digits) if isinstance(value, Real) else _harmless(str(value))


def _number(value: float, digits: int | None) -> str:
    if not isfinite(value):
        return ""
    if value.is_integer():
        return str(int(value))
    return repr(value) if digits is None else f"{value:.{digits}g}"


@lru_cache(maxsize=1 << 12)  # The columns of a long table say few different things.
def _harmless(text: str) -> str:
    line = one_line(text)
    return f"'{line}" if line.lstrip().startswith(_FORMULA) else line


def markdown(table: TextTable) -> str:
    """The table as GitHub's Markdown, without its title; HTML in a cell is shown as text."""
    rule = ["---" if left else "---:" for left in table.is_left]
    lines = [map(_markdown_cell, table.header), rule, *(map(_markdown_cell, row) for row in table.rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown_cell(text: str) -> str:
    # A backslash in front of a bar would undo the bar's own.
    safe = text.replace("\\", "\\\\").replace("|", "\\|")
    return _TAG.sub("&lt;", _ENTITY.sub("&amp;", safe))


def latex(table: TextTable, *, caption: str, label: str) -> str:
    r"""The table as a float of its own; the document must load `LATEX_PACKAGES`.

    Long headings and cells are broken into lines, and a table that is wider than the column of text is scaled to it.

    Args:
        table: The table.
        caption: Above it.
        label: For `\ref`.
    """
    aligns = ["l" if left else "r" for left in table.is_left]
    # Words after the label may take several lines: a number that is broken cannot be read.
    widths = [_HEAD_CHARACTERS if index and left else _CELL_CHARACTERS for index, left in enumerate(table.is_left)]
    texts = {
        _stacked(name, _HEAD_CHARACTERS, align): [_stacked(text, width, align) for text in table.cells[name]]
        for name, align, width in zip(table.header, aligns, widths, strict=True)
    }
    tabular = (
        DataFrame(texts, dtype=object).style.hide(axis="index").to_latex(column_format="".join(aligns), hrules=True)
    )
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{4pt}\renewcommand{\arraystretch}{1.15}",
            rf"\caption{{{latex_text(caption)}}}",
            rf"\label{{{label}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            tabular.rstrip() + "}",
            r"\end{table}",
            "",
        ]
    )


def latex_text(text: str) -> str:
    """The text with LaTeX's own characters escaped and a real minus sign before a number."""
    minus = "\x00"
    escaped = _MINUS.sub(minus, _joined(one_line(text))).translate(_LATEX).replace(minus, "$-$")
    # A bracket or star at the start of a row would be taken for an argument of the line break before it.
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped


def _joined(text: str) -> str:
    """The text with a no-break space before a percent sign, so that no line begins with one."""
    return text.replace(" %", "\u00a0%")


def _stacked(text: str, width: int, align: str) -> str:
    lines = textwrap.wrap(_joined(text), width, break_long_words=False, break_on_hyphens=False)
    if len(lines) < 2:
        return latex_text(text)
    stack = r"\\".join(map(latex_text, lines))
    return rf"\shortstack[{align}]{{{stack}}}"


def plain(table: TextTable, *, width: int = 80) -> str:
    """The table for a terminal: no line is longer than `width` characters.

    Headings and labels are broken into lines, labels earlier where that makes the table fit. A table that is still too
    wide is set as several, one below the other, each with the labels of the rows.

    Args:
        table: The table.
        width: Of the terminal, in characters; a single column that is wider keeps its width.
    """
    choices = [_blocks(table, width, label) for label in _LABEL_CHARACTERS]
    blocks = min(choices, key=len)
    return "\n".join([f"{textwrap.fill(table.title, width - 1)}:\n", *map(_block, blocks)])


def _blocks(table: TextTable, width: int, label: int) -> "list[list[_TextColumn]]":
    """The columns as they fit beside each other, with labels of at most so many characters."""
    columns = [_text_column(table, index, label if index == 0 else 0) for index in range(len(table.header))]
    blocks = [[columns[0]]]
    for column in columns[1:]:
        # Two spaces stand between columns.
        if len(blocks[-1]) > 1 and sum(part.width + 2 for part in blocks[-1]) + column.width > width:
            blocks.append([columns[0]])
        blocks[-1].append(column)
    return blocks


class _TextColumn(NamedTuple):
    """A column of a table in a terminal: its heading and its cells, each as lines of one width."""

    width: int
    cells: list[list[str]]


def _text_column(table: TextTable, index: int, longest: int) -> _TextColumn:
    """A column whose cells are broken after so many characters, or as is usual for words and for numbers if 0."""
    is_left = table.is_left[index]
    longest = longest or (_HEAD_CHARACTERS if is_left else _CELL_CHARACTERS)
    cells = [textwrap.wrap(row[index], longest) or [""] for row in table.rows]
    widest = max((len(line) for lines in cells for line in lines), default=0)
    head = textwrap.wrap(table.header[index], max(_HEAD_CHARACTERS, widest)) or [""]
    width = max(widest, *map(len, head))
    return _TextColumn(
        width, [[line.ljust(width) if is_left else line.rjust(width) for line in lines] for lines in (head, *cells)]
    )


def _block(columns: Sequence[_TextColumn]) -> str:
    lines = []
    for number, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        for texts in zip_longest(*cells, fillvalue=""):
            line = "  ".join(text.ljust(column.width) for text, column in zip(texts, columns, strict=True))
            lines.append(line.rstrip())
        if number == 0:
            lines.append("  ".join("-" * column.width for column in columns))
    return "\n".join([*lines, ""])

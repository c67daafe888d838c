"""A card of a page: one analysis, as a title and some HTML."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from analysis.plots.words import metric_words
from analysis.reports.text_table import TextTable
from analysis.results.pareto import Objective

_NUMBER = re.compile(r"(< )?[-+]?\d[\d,.]*(e[-+]?\d+)?( ?(%|ms|s|M|GMACs|MB))?( \[[^]]*\])?( \([^)]*\))?")
"""A number as tables show it: with its unit, its interval and a remark."""


class Drawing(str):
    """The SVG of a cell that this project drew itself: what others wrote is text, whatever it begins with."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What one analysis shows.

    Attributes:
        id: Anchor of the card in the page.
        title: What it shows, in words.
        html: Its content; all text in it that others wrote is escaped.
        is_wide: Whether it takes the whole width of the page.
    """

    id: str
    title: str
    html: str
    is_wide: bool = False


def shown_cards(folder: ModuleType, facts: object) -> list[Card]:
    """What the analyses of a page show, in the order of the page.

    Args:
        folder: A package with a file per analysis, each with `PLACE`, its place in the page, and `compute(facts)`,
            which gives a card, several, or None where it has nothing to say. A new analysis is one more file there.
        facts: What the page is of.
    """
    modules = [import_module(f"{folder.__name__}.{module.name}") for module in iter_modules(folder.__path__)]
    found = [module.compute(facts) for module in sorted(modules, key=lambda one: (one.PLACE, one.__name__))]
    return [card for one in found if one is not None for card in ([one] if isinstance(one, Card) else one)]


def paragraphs(lines: Iterable[str], kind: str = "") -> str:
    """Each line of text as a paragraph."""
    attribute = f' class="{kind}"' if kind else ""
    return "".join(f"<p{attribute}>{escape(line)}</p>" for line in lines)


def items(lines: Iterable[str]) -> str:
    """Each line of text as an item of a list."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """A table whose first column names its rows.

    Columns of numbers are set flush right. The script of the page lets the headings sort the rows.
    """
    lines = [list(row) for row in rows]
    kinds = ["", *(_kind([line[place] for line in lines]) for place in range(1, len(head)))]
    titles = "".join(f'<th scope="col"{kind}>{escape(cell)}</th>' for cell, kind in zip(head, kinds, strict=True))
    body = "".join(
        f'<tr><th scope="row">{escape(line[0])}</th>'
        f"{''.join(f'<td{kind}>{_cell(cell)}</td>' for cell, kind in zip(line[1:], kinds[1:], strict=True))}</tr>"
        for line in lines
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table><caption>'
        f"{escape(caption)}</caption><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _kind(cells: Sequence[str]) -> str:
    """The attribute of the cells of a column of numbers; most of it may be missing or words such as `not run`."""
    told = [cell for cell in cells if cell]
    numbers = sum(_NUMBER.fullmatch(cell) is not None for cell in told)
    return ' class="n"' if numbers and 3 * numbers >= len(told) else ""


def text_table(shown: TextTable) -> str:
    """A table of text as one of the page."""
    return table(shown.header, shown.rows, shown.title)


def pairs(rows: Iterable[tuple[str, str]], caption: str) -> str:
    """Names and what they are, without a heading; names of which nothing is known are left out."""
    return f'<div class="pairs">{table(["", ""], [row for row in rows if row[1]], caption)}</div>'


def figure(svg: str, caption: str) -> str:
    """A drawing with what it shows below it; a wide one can be moved to and fro on a narrow screen."""
    return (
        f'<figure><div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">{svg}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _cell(text: str) -> str:
    return text if isinstance(text, Drawing) else escape(text)


def bar(share: float) -> Drawing:
    """A bar as long as a share between 0 and 1."""
    width = 100 * min(max(share, 0.0), 1.0)
    return Drawing(
        '<svg class="bar" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true"><rect width="100" '
        f'height="12" class="track"/><rect width="{width:.1f}" height="12" class="full"/></svg>'
    )


def span(value: float, low: float | None, high: float | None, most: float) -> Drawing:
    """A dot with its interval on a line from -`most` to `most`, with a mark at 0."""

    def place(number: float) -> float:
        return 100 + 96 * min(max(number / most, -1.0), 1.0) if most else 100.0

    line = "" if low is None or high is None else f'<line x1="{place(low):.1f}" x2="{place(high):.1f}" y1="7" y2="7"/>'
    return Drawing(
        f'<svg class="span" viewBox="0 0 200 14" aria-hidden="true"><line class="zero" x1="100" x2="100" y1="0" '
        f'y2="14"/>{line}<circle cx="{place(value):.1f}" cy="7" r="3.5"/></svg>'
    )


def amount(goal: Objective, value: float) -> str:
    """A value of an objective with its unit, such as `79.2 %` and `2.13 ms`."""
    return f"{digits(goal.scale * value)} {goal.unit}".rstrip()


def digits(number: float) -> str:
    """Four digits, or all of a number that has more before its point."""
    return f"{number:.4g}" if abs(number) < 1e4 else f"{number:,.0f}"


def in_words(goal: Objective) -> str:
    """The name of a metric in words: `mIoU on tokenworld-128`, `latency on snapdragon-865`."""
    return metric_words(goal.name)

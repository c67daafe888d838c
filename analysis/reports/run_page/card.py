"""A card of a page: one analysis, as a title and some HTML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from analysis.results.pareto import Objective


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


def paragraphs(lines: Iterable[str], kind: str = "") -> str:
    """Each line of text as a paragraph."""
    attribute = f' class="{kind}"' if kind else ""
    return "".join(f"<p{attribute}>{escape(line)}</p>" for line in lines)


def items(lines: Iterable[str]) -> str:
    """Each line of text as an item of a list."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """A table whose first column names its rows; cells that begin with `<svg` are drawings, all others text."""
    titles = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{_cell(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table><caption>'
        f"{escape(caption)}</caption><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    return text if text.startswith("<svg") else escape(text)


def bar(share: float) -> str:
    """A bar as long as a share between 0 and 1."""
    width = 100 * min(max(share, 0.0), 1.0)
    return (
        '<svg class="bar" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true"><rect width="100" '
        f'height="12" class="track"/><rect width="{width:.1f}" height="12" class="full"/></svg>'
    )


def span(value: float, low: float | None, high: float | None, most: float) -> str:
    """A dot with its interval on a line from -`most` to `most`, with a mark at 0."""

    def place(number: float) -> float:
        return 100 + 96 * min(max(number / most, -1.0), 1.0) if most else 100.0

    line = "" if low is None or high is None else f'<line x1="{place(low):.1f}" x2="{place(high):.1f}" y1="7" y2="7"/>'
    return (
        f'<svg class="span" viewBox="0 0 200 14" aria-hidden="true"><line class="zero" x1="100" x2="100" y1="0" '
        f'y2="14"/>{line}<circle cx="{place(value):.1f}" cy="7" r="3.5"/></svg>'
    )


def amount(goal: Objective, value: float) -> str:
    """A value of an objective with its unit, such as `79.2 %` and `2.13 ms`."""
    number = goal.scale * value
    digits = f"{number:.4g}" if abs(number) < 1e4 else f"{number:,.0f}"
    return f"{digits} {goal.unit}".rstrip()


_FAMILIES = {
    "miou": "mIoU",
    "latency_ms": "latency",
    "macs": "multiply-accumulates",
    "parameters": "parameters",
    "peak_activation_bytes": "peak of the activations",
}


def in_words(goal: Objective) -> str:
    """The name of a metric in words: `mIoU on tokenworld-128`, `latency on snapdragon-865`."""
    family, at, where = goal.name.partition("@")
    return f"{_FAMILIES.get(family, family)}{' on ' if at else ''}{where}"

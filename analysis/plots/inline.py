"""Figures as SVG inside a page of HTML: colours of the page's theme, ids of their own, and words for each mark."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from io import StringIO
from types import MappingProxyType

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from analysis.plots.style import BLUE, FAINT, GREEN, GRID, MUTED, PURPLE, TEXT, VERMILION

_THEME: Mapping[str, str] = MappingProxyType(
    {
        TEXT: "ink",
        "#000000": "ink",
        MUTED: "soft",
        FAINT: "track",
        GRID: "rule",
        "#FFFFFF": "card",
        BLUE: "accent",
        VERMILION: "warm",
        GREEN: "good",
        PURPLE: "plum",
    }
)
"""Colour of a figure to the variable of the page that takes its place, so that dark pages have dark figures."""
_COLOUR = re.compile("|".join(_THEME), re.IGNORECASE)
_ID = re.compile(r'(\bid="|xlink:href="#|url\(#)')
_MARK = re.compile(r"<(use|path)( [^>]*)/>")
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)


def inline_svg(figure: Figure, name: str, tips: Mapping[str, Sequence[str]] | None = None) -> str:
    """A figure as an element of a page; draw it under `style`, as for a file.

    Args:
        figure: What is drawn.
        name: What no other figure of the page is called: all ids begin with it, and a reader of screens says it.
        tips: The gid of a collection of marks to what each mark says when it is pointed at, in their order.
    """
    FigureCanvasSVG(figure)
    buffer = StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    _, _, text = buffer.getvalue().partition("<svg ")
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', head)
    assert box is not None
    body = _STYLE.sub("", body.partition("</metadata>")[2] or body)
    for gid, words in (tips or {}).items():
        body = _told(body, gid, words)
    body = _COLOUR.sub(lambda found: f"var(--{_THEME[_key(found[0])]})", body).replace("'DejaVu Sans'", "system-ui")
    ids = re.sub(r"[^\w-]", "-", name)
    body = _ID.sub(rf"\g<1>{ids}-", body)
    # As wide as it was drawn at most: on a narrow screen it is moved to and fro, not made too small to read.
    width = float(box[1])
    sizes = f"max-width: {1.35 * width:.0f}px; min-width: {0.75 * width:.0f}px"
    return (
        f'<svg class="figure" style="{sizes}" {box[0]} xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-label="{escape(name)}">{body.rpartition("</svg>")[0]}</svg>'
    )


def _key(colour: str) -> str:
    return next(known for known in _THEME if known.lower() == colour.lower())


def _told(body: str, gid: str, words: Sequence[str]) -> str:
    """The SVG with a title in each mark of a collection."""
    start = body.index(f'<g id="{gid}">')
    # The shape of a mark is defined where it is first used; the marks follow in a group of their own.
    marks = body.index("<g ", start + 1)
    end = body.index("</g>", marks)
    return "".join([body[:marks], *_with_titles(body[marks:end], words), body[end:]])


def _with_titles(text: str, words: Sequence[str]) -> Iterator[str]:
    end = 0
    for word, found in zip(words, _MARK.finditer(text), strict=False):
        yield text[end : found.start()]
        yield f"<{found[1]}{found[2]}><title>{escape(word)}</title></{found[1]}>"
        end = found.end()
    yield text[end:]

"""The frame of every page: cards, data and scripts in one file that needs no network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from analysis.reports.pages.card import Card
from topformer.errors import InputError
from topformer.files import check_place, write_text
from topformer.optional_packages import command

NAME = "report.html"
"""What a page is called in the folder that it is of."""
EVERY = 10
"""Seconds after which a page of a run that goes on is loaded again."""
_MARK = "topformer-report"
# Nothing is loaded from anywhere; plotly makes functions of texts, and pictures of itself.
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What stands in a page.

    Attributes:
        title: Above it.
        cards: In order.
        is_running: Whether what it shows goes on: it then says so, and loads itself again.
        data: JSON that its own scripts read as the element `data`; nothing if None.
        script: JavaScript after the shared one, read before anything slow.
        late_script: JavaScript at the very end, such as plotly and what draws with it.
    """

    title: str
    cards: Sequence[Card]
    is_running: bool = False
    data: object = None
    script: str = ""
    late_script: str = ""

    @property
    def html(self) -> str:
        """The page as HTML."""
        title = escape(self.title)
        again = f'<meta http-equiv="refresh" content="{EVERY}">' if self.is_running else ""
        links = "".join(f'<a href="#{escape(card.id)}">{escape(card.title)}</a>' for card in self.cards)
        state = '<span class="live">running</span>' if self.is_running else ""
        data = "" if self.data is None else f'<script type="application/json" id="data">{_embedded(self.data)}</script>'
        late = "".join(f"<script>{text}</script>\n" for text in (self.late_script,) if text)
        return (
            f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="generator" content="{_MARK}">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">{again}\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta name="color-scheme" content="light dark">\n<title>{title}</title><style>{_own("page.css")}</style>'
            f"</head>\n<body><header><h1>{title} {state}</h1><nav>{links}</nav></header>\n<main>"
            f"{''.join(map(_section, self.cards))}</main>\n{data}\n"
            f"<script>{_own('page.js')}{self.script}</script>\n{late}</body></html>\n"
        )


def write_page(page: Page, path: Path) -> Path:
    """Write a page, over nothing but another page; gives its place.

    Raises:
        InputError: The file is there and is no page.
        StorageError: It cannot be written.
    """
    check_place(path, is_page, (), made="page of topformer report")
    write_text(path, page.html)
    return path


def is_page(path: Path) -> bool:
    """Whether a file is a page of ours."""
    with path.open("rb") as file:
        return _MARK.encode() in file.read(1000)


def plotly_script() -> str:
    """The source of plotly.js.

    Raises:
        InputError: plotly is not installed; the message says what installs it.
    """
    if find_spec("plotly") is None:
        raise InputError(f"topformer report needs plotly, which is not installed: {command('report')}")
    from plotly.offline import get_plotlyjs

    source: str = get_plotlyjs()
    return source.replace("</script", "<\\/script")


def _section(card: Card) -> str:
    wide = ' class="wide"' if card.is_wide else ""
    return f'<section id="{escape(card.id)}"{wide}><h2>{escape(card.title)}</h2>{card.html}</section>\n'


def _embedded(value: object) -> str:
    """JSON that no text in it can leave: neither a tag nor a comment can begin."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _own(name: str) -> str:
    return (files("analysis.reports.pages") / name).read_text("utf-8")

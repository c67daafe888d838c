"""The page of a run: cards, data and script in one file that needs no network."""

import json
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from analysis.reports.run_page.card import Card
from analysis.reports.run_page.cards import cards
from analysis.reports.run_page.columns import columns
from analysis.reports.run_page.facts import Facts
from analysis.reports.run_report import read_begun
from topformer.errors import InputError
from topformer.files import check_place, write_text
from topformer.optional_packages import command

NAME = "report.html"
EVERY = 10
"""Seconds after which a page of a run that goes on is loaded again."""
_MARK = "topformer-report"
# Nothing is loaded from anywhere; plotly makes functions of texts, and pictures of itself.
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"


def write_page(folder: Path, out: Path | None = None, *, name: str = "", is_running: bool = False) -> Path:
    """Write the page of a run.

    Args:
        folder: The run folder; its study may still be running, and may have no record yet.
        out: The file; `report.html` in the run folder if None.
        name: What commands call the run; its folder if empty.
        is_running: Whether a process writes into it now: the page then says so, and loads itself again.

    Raises:
        InputError: plotly is not installed, or `out` holds something else.
        StudyError: As `read_run`.
        RecordError: As `read_run`, but that there may be no record.
        StorageError: A file cannot be read or written.
    """
    script = plotly_script()
    facts = Facts.of(read_begun(folder), name or str(folder), is_running=is_running)
    path = folder / NAME if out is None else out
    check_place(path, is_page, (), made="page of topformer report")
    write_text(path, page(facts, script))
    return path


def page(facts: Facts, plotly: str) -> str:
    """The page as HTML.

    Args:
        facts: The run.
        plotly: The source of plotly.js.
    """
    shown = [card for compute in cards() if (card := compute(facts)) is not None]
    title = escape(f"{facts.run.name}: {facts.run.space}" if facts.run.space else facts.run.name)
    again = f'<meta http-equiv="refresh" content="{EVERY}">' if facts.is_running else ""
    links = "".join(f'<a href="#{card.id}">{escape(card.title)}</a>' for card in shown)
    state = '<span class="live">running</span>' if facts.is_running else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="generator" content="{_MARK}">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">{again}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark">\n<title>{title}</title><style>{_own("page.css")}</style>'
        f"</head>\n<body><header><h1>{title} {state}</h1><nav>{links}</nav></header>\n<main>"
        f"{''.join(map(_section, shown))}</main>\n"
        f'<script type="application/json" id="data">{_embedded(columns(facts))}</script>\n'
        f"<script>{plotly}</script>\n<script>{_own('page.js')}</script></body></html>\n"
    )


def is_page(path: Path) -> bool:
    """Whether a file is a page of a run."""
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
    return f'<section id="{card.id}"{wide}><h2>{escape(card.title)}</h2>{card.html}</section>\n'


def _embedded(value: object) -> str:
    """JSON that no text in it can leave: neither a tag nor a comment can begin."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _own(name: str) -> str:
    return (files("analysis.reports.run_page") / name).read_text("utf-8")

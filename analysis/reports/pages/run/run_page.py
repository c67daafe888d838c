"""The page of a search: its front, its designs, what decides, and how sure that is."""

from importlib.resources import files
from pathlib import Path

from analysis.reports.pages.card import shown_cards
from analysis.reports.pages.page import NAME, Page, plotly_script, write_page
from analysis.reports.pages.run import cards
from analysis.reports.pages.run.columns import columns
from analysis.reports.pages.run.facts import Facts
from analysis.reports.run_report import read_begun


def write_run_page(folder: Path, out: Path | None = None, *, name: str = "", is_running: bool = False) -> Path:
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
    plotly = plotly_script()
    facts = Facts.of(read_begun(folder), name or str(folder), is_running=is_running)
    return write_page(run_page(facts, plotly), folder / NAME if out is None else out)


def run_page(facts: Facts, plotly: str) -> Page:
    """The page of a run.

    Args:
        facts: The run.
        plotly: The source of plotly.js.
    """
    own = (files("analysis.reports.pages.run") / "designs.js").read_text("utf-8")
    return Page(
        title=f"{facts.run.name}: {facts.run.space}" if facts.run.space else facts.run.name,
        cards=shown_cards(cards, facts),
        is_running=facts.is_running,
        data=columns(facts),
        script=own,
        late_script=f"{plotly}</script>\n<script>startPlots();",
    )

"""The tables of an ablation, each with its figure: counted and predicted beside printed, then what was measured."""

from collections.abc import Iterator
from html import escape

from analysis.reports.ablation_files import FORMS, TABLES
from analysis.reports.ablation_table import heading, remarks, text_tables, verdicts
from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.card import Card, figure, items, paragraphs, text_table
from analysis.results.ablation import Ablation

PLACE = 30
_FIGURE = "The same numbers are in the tables below."
_SEEDS = "Every dot is a seed, and says its number when it is pointed at."


def compute(facts: AblationFacts) -> Iterator[Card]:
    """A card for each table."""
    # Only here: matplotlib takes longer to import than all the rest to run.
    from analysis.plots.ablation import figure_svg

    for table in facts.tables:
        told = verdicts(table)
        lead = [
            *([f"Reproduces {table.source}."] if table.source else []),
            *([f"Against the paper: {told}."] if told else []),
        ]
        # Accuracies first: costs are the same in every run.
        shown = sorted(text_tables(table), key=lambda part: not part.title.startswith(("Measured", "Differences")))
        yield Card(
            id=table.id,
            title=heading(table),
            html=paragraphs([" ".join(lead)] if lead else [])
            + (_files(table) if facts.has_files else "")
            + figure(figure_svg(table), _FIGURE if table.evaluation is None else f"{_SEEDS} {_FIGURE}")
            + "".join(map(text_table, shown))
            + items(remarks(table)),
            is_wide=True,
        )


def _files(table: Ablation) -> str:
    links = ", ".join(f'<a href="{escape(f"{TABLES}/{table.id}.{form}")}">{form}</a>' for form in FORMS)
    return f'<p class="hint">Its files: {links}</p>'

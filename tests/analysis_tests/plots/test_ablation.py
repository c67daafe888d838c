"""The figure of an ablation table."""

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.plots.ablation import draw, save_figure
from analysis.records.record import Metric
from analysis.results.ablation import AblationRow, Published
from tests.analysis_tests.ablation_examples import ablation

PRINTED = {"miou": 37.0, "latency_ms": 43.0, "parameters": 5.1}


def drawn(folder: Path, **changes: str) -> str:
    """The figure as SVG."""
    save_figure(ablation(**changes), folder / "a.png", folder / "a.svg")
    return (folder / "a.svg").read_text()


@pytest.mark.parametrize("figure", ["rows", "latency", "shares"])
def test_equal_tables_give_equal_figures(tmp_path: Path, figure: str) -> None:
    assert drawn(tmp_path, figure=figure) == drawn(tmp_path, figure=figure)


def test_a_figure_names_the_two_axes_of_accuracy_apart(tmp_path: Path) -> None:
    svg = drawn(tmp_path)
    assert "mIoU on world (%), measured on nano" in svg
    assert "mIoU (%) on the paper's data," in svg


def test_a_figure_says_what_it_shows_and_which_row_is_the_baseline(tmp_path: Path) -> None:
    svg = drawn(tmp_path)
    assert "T: Heads &amp; widths" in svg
    assert "(baseline)" in svg
    assert "letters: rows that share one are not shown to differ" in svg


def test_a_panel_without_a_number_is_left_out_and_the_claim_stands_at_its_row(tmp_path: Path) -> None:
    table = ablation()
    unknown = Published(value=None, source="T")
    rows = [replace(row, published={"miou": unknown} if row.published else {}) for row in table.rows]
    save_figure(replace(table, rows=tuple(rows)), tmp_path / "b.png", tmp_path / "b.svg")
    svg = (tmp_path / "b.svg").read_text()
    assert "on the paper's data" not in svg
    assert "(paper, no number: worse)" in svg


def test_the_first_figure_has_the_size_of_each_network_and_no_interval_sets_its_range() -> None:
    row = AblationRow(
        label="peer",
        costs={"latency_ms": Metric(value=40.0, source="predicted", low=1.0, high=9000.0)},
        published={name: Published(value=value, source="T") for name, value in PRINTED.items()},
    )
    figure = draw(replace(ablation(figure="latency"), rows=(row,)))
    ax = figure.axes[0]
    assert ax.get_xlim()[0] > 20
    assert ax.get_xlim()[1] < 100
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][-1] == "15 M parameters"

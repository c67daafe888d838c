"""The figure of an ablation table."""

from pathlib import Path

import pytest

from analysis.plots.ablation import save_figure
from tests.analysis_tests.ablation_examples import ablation


def drawn(folder: Path, **changes: str) -> str:
    """The figure as SVG."""
    save_figure(ablation(**changes), folder / "a.png", folder / "a.svg")
    return (folder / "a.svg").read_text()


@pytest.mark.parametrize("figure", ["rows", "latency", "shares"])
def test_equal_tables_give_equal_figures(tmp_path: Path, figure: str) -> None:
    assert drawn(tmp_path, figure=figure) == drawn(tmp_path, figure=figure)


def test_a_figure_names_the_two_axes_of_accuracy_apart(tmp_path: Path) -> None:
    svg = drawn(tmp_path)
    assert "miou@world (%), measured on nano" in svg
    assert "mIoU (%), printed" in svg

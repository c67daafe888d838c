"""Figures of a ladder."""

from pathlib import Path

import matplotlib.image
from matplotlib.figure import Figure

from analysis.plots.ladder import Panel, draw_ladder, draw_panel, ladder_svg, panels_svg, save_ladder
from analysis.results.ladder import ladder
from tests.analysis_tests.truth_tables import HALF, noise, numbered, table


def test_rungs_have_their_name_and_costs_stand_at_nothing(tmp_path: Path) -> None:
    found = ladder(table(numbered(12), noise(1.0), others={HALF: noise(2.0)}))
    ax = Figure().add_subplot()
    draw_ladder(found, ax)
    assert {text.get_text() for text in ax.texts} == {"parameters", "MACs", "trained 600 of 1200"}
    assert ax.get_xlabel() == "processor seconds per design"
    assert "trained 600 of 1200: tau " in ladder_svg(found)
    assert matplotlib.image.imread(save_ladder(found, tmp_path / "ladder.png")).shape[1] > 1000


def test_panels_tell_every_design() -> None:
    panel = Panel(title="zico", note="tau 0.5", points=[("a<b", 12_000.0, 50.0), ("c", 2e6, 60.0)])
    ax = Figure().add_subplot()
    draw_panel(panel, ax, "mIoU")
    assert ax.get_title() == "zico\ntau 0.5"
    assert ax.xaxis.get_major_formatter()(2e6, 0) == "2M"
    text = panels_svg([panel, panel, panel, panel, panel], "mIoU")
    assert text.count("<title>a&lt;b: 1.2e+04, mIoU 50</title>") == 5

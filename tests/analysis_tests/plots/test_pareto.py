"""What the Pareto plot says, read back from its Axes and its SVG."""

from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from analysis.plots.labels import Name, annotate
from analysis.plots.pareto import ParetoPlot, draw_pareto, plot_axes, save_pareto
from analysis.records.record import Metric
from analysis.reference import ADE20K, SNAPDRAGON_865, published_points
from analysis.results.pareto import Objective, front
from tests.analysis_tests.examples import LATENCY, MIOU, record
from topformer.errors import StorageError, StudyError

GOALS = (Objective(MIOU, "max"), Objective(LATENCY, "min"))
RECORDS = [record(0, 50, 4), record(1, 60, 8), record(2, 40, 6), record(3, 55, 5.5), record(4, 41, 4.2)]
PLOT = ParetoPlot(front=front(RECORDS, GOALS), title="nano: mobile", caption=("5 trained; seed 0.",))


@pytest.fixture
def ax() -> Axes:
    figure = Figure(figsize=(10, 6))
    FigureCanvasAgg(figure)
    return figure.add_axes((0.1, 0.1, 0.8, 0.7))


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def test_axes_are_named_by_metric_unit_and_source(ax: Axes) -> None:
    draw_pareto(PLOT, ax)
    assert ax.get_xlabel() == "latency on snapdragon-865 (ms, predicted)"
    assert ax.get_ylabel() == "mIoU on tokenworld-128 (%, trained)"


def test_the_step_line_runs_through_the_front(ax: Axes) -> None:
    draw_pareto(PLOT, ax)
    line = next(line for line in ax.lines if line.get_drawstyle() == "steps-post")
    assert np.asarray(line.get_xydata()).tolist() == [[4.0, 50.0], [5.5, 55.0], [8.0, 60.0]]


def test_every_front_point_has_its_short_id(ax: Axes) -> None:
    names = ("aaaa11112222", "bbbb11112222", "cccc11112222", "aaaa33334444", "dddd11112222")
    records = [replace(one, fingerprint=f"{name}@128x128") for one, name in zip(RECORDS, names, strict=True)]
    draw_pareto(replace(PLOT, front=front(records, GOALS)), ax)
    assert [text.get_text() for text in ax.texts] == ["aaaa1", "aaaa3", "bbbb1"]


def test_points_are_named_by_what_tells_them_apart_and_the_legend_says_so(ax: Axes) -> None:
    labels: tuple[dict[str, str], ...] = (
        {"injected": "8", "width": "64"},
        {"injected": "4+8", "width": "64"},
        {},
        {"injected": "4", "width": "64"},
    )
    records = [replace(one, labels=label) for one, label in zip(RECORDS, labels, strict=False)]
    draw_pareto(replace(PLOT, front=front(records, GOALS)), ax)
    assert [text.get_text().partition(": ")[2] for text in ax.texts] == ["8", "4", "4+8"]
    assert "front (3): id, injected" in legend(ax)


def test_an_interval_does_not_set_the_range_and_no_name_stands_across_the_limit(ax: Axes) -> None:
    wide = [replace(one, metrics={**one.metrics, LATENCY: replace(one.metrics[LATENCY], low=0.1, high=90.0)})
            for one in RECORDS]  # fmt: skip
    draw_pareto(replace(PLOT, front=front(wide, GOALS), limit=5.6), ax)
    assert ax.get_xlim()[1] < 9
    assert "95 % interval" in legend(ax)
    x = ax.transData.transform((5.6, 50))[0]
    boxes = [text.get_window_extent() for text in ax.texts]
    assert boxes
    assert not any(box.x0 < x < box.x1 for box in boxes)


def test_the_legend_counts_what_is_drawn(ax: Axes) -> None:
    full = replace(PLOT, anchors={RECORDS[0].fingerprint: "nano"}, pruned=(7.0, 9.0), considered=(4.0,) * 1234, limit=8)
    draw_pareto(full, ax)
    assert legend(ax) == [
        "dominated (2)",
        "front (3)",
        "anchor (preset)",
        "costed (1,234)",
        "pruned before training (2)",
        "limit 8 ms",
    ]


def test_an_anchor_is_named_instead_of_its_id(ax: Axes) -> None:
    draw_pareto(replace(PLOT, anchors={RECORDS[0].fingerprint: "nano"}), ax)
    texts = [text.get_text() for text in ax.texts]
    assert "nano" in texts
    assert len(texts) == 3


def test_published_points_say_published(ax: Axes) -> None:
    metrics = {ADE20K: Metric(value=33.0, source="trained"), SNAPDRAGON_865: Metric(value=50.0, source="predicted")}
    goals = (Objective(ADE20K, "max"), Objective(SNAPDRAGON_865, "min"))
    plot = ParetoPlot(
        front=front([record(metrics=metrics)], goals), title="ade", published=published_points(ADE20K, SNAPDRAGON_865)
    )
    draw_pareto(plot, ax)
    assert "published: TopFormer (CVPR 2022)" in legend(ax)
    assert "published: searched TopFormer" in legend(ax)
    assert {"TopFormer-B", "Efficient-TopFormer-S"} <= {text.get_text() for text in ax.texts}
    # PSPNet at 1065 ms would squeeze everything else into a corner.
    assert ax.get_xlim()[1] < 150


def test_a_point_within_the_noise_is_marked(ax: Axes) -> None:
    def noisy(trial: int, miou: float, latency: float) -> dict[str, Metric]:
        return {
            MIOU: Metric(value=miou, source="trained", low=miou - 2, high=miou + 2),
            LATENCY: Metric(value=latency, source="predicted"),
        }

    numbers = ((50.0, 4.0), (49.9, 4.1), (30.0, 9.0))
    records = [record(t, metrics=noisy(t, *pair)) for t, pair in enumerate(numbers)]
    draw_pareto(replace(PLOT, front=front(records, GOALS)), ax)
    assert legend(ax) == ["dominated (1)", "P(on front) >= 5 % (1)", "front (1)", "95 % interval"]


def test_one_point_alone_can_be_drawn(ax: Axes) -> None:
    draw_pareto(replace(PLOT, front=front([record(0, 0.0, 4.0)], GOALS)), ax)
    assert legend(ax) == ["front (1)"]


def test_three_objectives_have_no_step_line(ax: Axes) -> None:
    macs = {"macs": Metric(value=1_000_000, source="exact")}
    records = [replace(one, metrics={**one.metrics, **macs}) for one in RECORDS]
    draw_pareto(replace(PLOT, front=front(records, (*GOALS, Objective("macs", "min")))), ax)
    assert not [line for line in ax.lines if line.get_drawstyle().startswith("steps")]


def test_a_cost_is_drawn_in_the_unit_of_its_axis(ax: Axes) -> None:
    metrics = {MIOU: Metric(value=50.0, source="trained"), "macs": Metric(value=600_000_000, source="exact")}
    goals = (Objective(MIOU, "max"), Objective("macs", "min"))
    draw_pareto(ParetoPlot(front=front([record(metrics=metrics)], goals), title="t", limit=1_000_000_000), ax)
    assert ax.get_xlabel() == "MACs (GMACs, exact)"
    assert ax.get_xlim()[0] < 0.6 < 1.0 < ax.get_xlim()[1] < 1.2
    assert "limit 1 GMACs" in legend(ax)


def test_accuracy_is_upright_whatever_the_order_of_objectives() -> None:
    assert plot_axes(GOALS) == plot_axes(GOALS[::-1]) == (GOALS[1], GOALS[0])


def test_one_objective_makes_no_plot() -> None:
    with pytest.raises(StudyError, match="at least two objectives"):
        plot_axes(GOALS[:1])


def test_names_do_not_cover_each_other_or_the_points(ax: Axes) -> None:
    grid = np.array([(x, y) for x in range(5) for y in range(4)], dtype=float)
    ax.set(xlim=(-1, 5), ylim=(-1, 4))
    annotate(ax, [Name("3f9a", x, y, "black") for x, y in grid], grid)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    pixels = ax.transData.transform(grid)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert not any(box.contains(x, y) for box in boxes for x, y in pixels)


def test_files_have_the_promised_size_and_text(tmp_path: Path) -> None:
    png, svg = save_pareto(PLOT, tmp_path / "a.png", tmp_path / "a.svg")
    with Image.open(png) as image:
        assert image.size == (1600, 1000)
    text = svg.read_text()
    for words in ("mIoU on tokenworld-128 (%, trained)", "nano: mobile", "5 trained; seed 0."):
        assert f">{words}</text>" in text
    assert "ADE20K" not in text


def test_equal_data_gives_equal_bytes(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in save_pareto(PLOT, tmp_path / "a.png", tmp_path / "a.svg")]
    second = [path.read_bytes() for path in save_pareto(PLOT, tmp_path / "b.png", tmp_path / "b.svg")]
    assert first == second


def test_global_settings_stay_as_they_were(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    save_pareto(PLOT, tmp_path / "a.png", tmp_path / "a.svg")
    assert dict(matplotlib.rcParams) == before


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot write the figure .*a\.png: No such file"):
        save_pareto(PLOT, tmp_path / "none" / "a.png", tmp_path / "none" / "a.svg")

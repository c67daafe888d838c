"""The figure of an ablation table: every seed, intervals, and the paper's values on an axis of their own."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from analysis.plots.labels import Name, annotate
from analysis.plots.style import BLUE, GREEN, MUTED, TEXT, VERMILION, save, style
from analysis.results.ablation import COLUMNS, Ablation, AblationRow, Evaluation

DPI = 150
_HOLLOW: dict[str, Any] = {"marker": "D", "s": 42, "facecolors": "white", "edgecolors": VERMILION, "linewidths": 1.5}
_LONGEST = 34
"""Characters of a row label in a figure."""

Panel = Callable[[Axes], None]


def save_figure(table: Ablation, png: Path, svg: Path) -> None:
    """Draw the figure of a table into two files; equal data gives equal bytes under one version of matplotlib.

    Raises:
        StorageError: A file cannot be written.
    """
    with style(9.5):
        figure = draw(table)
        for path in (png, svg):
            save(figure, path, bbox_inches="tight")


def draw(table: Ablation) -> Figure:
    """The figure: points over latency for `latency`, else one panel per kind of number, the rows below each other."""
    if table.figure == "latency" and {"miou", "latency_ms"} <= set(table.printed):
        figure = Figure(figsize=(8.5, 5.2), dpi=DPI, facecolor="white")
        _draw_latency(table, figure.add_subplot())
        return figure
    rows = _drawn(table)
    panels = _panels(table, rows)
    figure = Figure(figsize=(2.2 + 3.6 * len(panels), 1.5 + 0.42 * len(rows)), dpi=DPI, facecolor="white")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, panel in zip(axes, panels, strict=True):
        _frame(ax)
        panel(ax)
    axes[0].set_yticks(range(len(rows)), [_short(table, row) for row in rows])
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    return figure


def _drawn(table: Ablation) -> list[AblationRow]:
    """Rows of which anything is known."""
    return [
        row
        for row in table.rows
        if row.costs or row.measured or any(c.value is not None for c in row.published.values())
    ]


def _panels(table: Ablation, rows: Sequence[AblationRow]) -> list[Panel]:
    """MeasuredRow accuracy, published accuracy, and what both sides have numbers for."""
    panels: list[Panel] = []
    if table.evaluation is not None:
        panels.append(partial(_draw_measured, rows=rows, source=table.evaluation))
    printed = partial(_draw_published, rows=rows, source=table.source)
    panels += [partial(printed, name=name) for name in table.published_accuracy]
    names = table.columns if table.figure == "shares" else [name for name in ("macs_paper",) if name in table.columns]
    panels += [partial(_draw_costs, rows=rows, name=name) for name in names]
    return panels or [partial(printed, name="miou")]


def _short(table: Ablation, row: AblationRow) -> str:
    label = row.label if len(row.label) <= _LONGEST else row.label[: _LONGEST - 3] + "..."
    return f"{label} *" if row.label == table.baseline else label


def _frame(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(MUTED)
    ax.tick_params(colors=TEXT, color=MUTED)
    ax.grid(axis="x", color="#EEEEEE", linewidth=0.8)
    ax.set_axisbelow(True)


def _draw_measured(ax: Axes, *, rows: Sequence[AblationRow], source: Evaluation) -> None:
    """A dot per seed, the mean as a bar, its 95 % interval as a line."""
    for place, row in enumerate(rows):
        runs = row.measured
        if runs is None or runs.summary is None:
            words = "" if runs is None else ("failed" if runs.failed else "not run")
            ax.annotate(words, (0.02, place), xycoords=("axes fraction", "data"), va="center", color=MUTED, fontsize=8)
            continue
        if runs.summary.low is not None and runs.summary.high is not None:
            ax.hlines(place, runs.summary.low, runs.summary.high, color=BLUE, linewidth=1.2, alpha=0.6)
        ax.scatter(list(runs.scores.values()), [place] * len(runs.scores), s=16, color=BLUE, alpha=0.6, linewidths=0)
        ax.scatter(runs.summary.mean, place, s=130, marker="|", color=BLUE, linewidths=2.2)
        ax.annotate(
            runs.group,
            (1.0, place),
            xycoords=("axes fraction", "data"),
            va="center",
            ha="right",
            color=TEXT,
            fontsize=8,
        )
    ax.set_xlabel(f"{source.label}, measured on {source.base}\n{source.spent}; line: 95 % of the mean")
    ax.margins(x=0.12)


def _draw_published(ax: Axes, *, rows: Sequence[AblationRow], name: str, source: str) -> None:
    """Hollow marks for what was printed, words for what is not known."""
    for place, row in enumerate(rows):
        cell = row.published.get(name)
        if cell is not None and cell.value is not None:
            ax.scatter(cell.value, place, **_HOLLOW)
        elif cell is not None:
            words = f"unknown ({row.claim.direction})" if row.claim and name == "miou" else "unknown"
            ax.annotate(words, (0.02, place), xycoords=("axes fraction", "data"), va="center", color=MUTED, fontsize=8)
    ax.set_xlabel(f"{COLUMNS[name].heading}, printed\n{source}", color=VERMILION)
    if not ax.collections:
        ax.set_xticks([])
    ax.margins(x=0.12)


def _draw_costs(ax: Axes, *, rows: Sequence[AblationRow], name: str) -> None:
    """Ours as dots and the printed number as a hollow mark: one unit, one axis."""
    scale = COLUMNS[name].scale
    ours = [(place, row.costs[name]) for place, row in enumerate(rows) if name in row.costs]
    ax.scatter([scale * metric.value for _, metric in ours], [place for place, _ in ours], s=30, color=GREEN, zorder=3)
    # A peer of fifty times the size would squeeze the rows that are compared into one point.
    for place, row in enumerate(rows):
        cell = row.published.get(name)
        if name in row.costs and cell is not None and cell.value is not None:
            ax.scatter(cell.value, place, **_HOLLOW)
    ax.set_xlabel(f"{COLUMNS[name].heading}\ndot: ours, hollow: printed")
    ax.margins(x=0.12)
    ax.set_xlim(left=0)


def _draw_latency(table: Ablation, ax: Axes) -> None:
    """Printed accuracy over printed latency as hollow marks, and our prediction of the latency as a line."""
    _frame(ax)
    ax.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    names = []
    for row in table.rows:
        miou, latency, ours = row.published.get("miou"), row.published.get("latency_ms"), row.costs.get("latency_ms")
        if miou is None or latency is None or miou.value is None or latency.value is None:
            continue
        color = VERMILION if row.fingerprint else MUTED
        ax.scatter(latency.value, miou.value, **{**_HOLLOW, "edgecolors": color}, zorder=3)
        names.append(Name(row.label, latency.value, miou.value, TEXT))
        if ours is not None and ours.low is not None and ours.high is not None:
            alpha = 1.0 if row.fingerprint else 0.35
            ax.hlines(miou.value, ours.low, ours.high, color=BLUE, alpha=alpha, linewidth=1.5, zorder=2)
            ax.scatter(ours.value, miou.value, s=18, color=BLUE, alpha=alpha, linewidths=0, zorder=4)
    ax.set_xscale("log")
    # Milliseconds as people say them: 50, 100, 200, not powers of ten.
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("latency (ms, one ARM core of a Snapdragon 865); hollow: printed, line: ours, predicted, 95 %")
    ax.set_ylabel("mIoU (%) on ADE20K, printed")
    ax.margins(0.1)
    ax.autoscale_view()
    annotate(ax, names, np.array([[name.x, name.y] for name in names]).reshape(-1, 2), size=7.5)

"""The figure of an ablation table: every seed, intervals, and the paper's values on an axis of their own."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from analysis.plots.inline import inline_svg
from analysis.plots.labels import Name, annotate
from analysis.plots.style import BLUE, GREEN, MUTED, TEXT, VERMILION, frame, save, style
from analysis.plots.words import metric_words
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


def figure_svg(table: Ablation) -> str:
    """The figure as an element of a page; every seed says its number when it is pointed at."""
    tips = {
        _seeds_id(place): [f"{row.label}, seed {seed}: {score:.2f}" for seed, score in row.measured.scores.items()]
        for place, row in enumerate(_drawn(table))
        if row.measured is not None and row.measured.summary is not None
    }
    with style(9.5):
        figure = draw(table)
        return inline_svg(figure, table.id, {} if table.evaluation is None or _is_over_latency(table) else tips)


def draw(table: Ablation) -> Figure:
    """The figure: points over latency for `latency`, else one panel per kind of number, the rows below each other."""
    if _is_over_latency(table):
        figure = Figure(figsize=(9.5, 6.4), dpi=DPI, facecolor="white")
        ax = figure.add_axes((0.08, 0.11, 0.89, 0.72))
        _draw_latency(table, ax)
        _title(figure, table, 0.08, 0.985)
        return figure
    rows = _drawn(table)
    panels = _panels(table, rows)
    height = 1.9 + 0.5 * len(rows)
    figure = Figure(figsize=(2.2 + 3.6 * len(panels), height), dpi=DPI, facecolor="white")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, panel in zip(axes, panels, strict=True):
        frame(ax, "x")
        panel(ax)
    labels = [_short(table, row, tell=not _has_panel(table, "miou")) for row in rows]
    axes[0].set_yticks(range(len(rows)), labels)
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    _title(figure, table, 0.0, 1.0)
    return figure


def _is_over_latency(table: Ablation) -> bool:
    return table.figure == "latency" and {"miou", "latency_ms"} <= set(table.printed)


def _seeds_id(place: int) -> str:
    """What the dots of a row are called in an SVG."""
    return f"seeds-{place}"


def _title(figure: Figure, table: Ablation, left: float, top: float) -> None:
    """What is shown, and of what."""
    source = f"{table.source}: " if table.source else ""
    figure.text(left, top, f"{source}{table.title}", fontsize=11.5, fontweight="bold", color=TEXT, va="top")


def _drawn(table: Ablation) -> list[AblationRow]:
    """Rows of which anything is known."""
    return [
        row
        for row in table.rows
        if row.costs or row.measured or any(c.value is not None for c in row.published.values())
    ]


def _panels(table: Ablation, rows: Sequence[AblationRow]) -> list[Panel]:
    """Measured accuracy, published accuracy where a number is known, and what both sides have numbers for."""
    panels: list[Panel] = []
    if table.evaluation is not None:
        panels.append(partial(_draw_measured, rows=rows, source=table.evaluation))
    printed = partial(_draw_published, rows=rows, source=table.source)
    panels += [partial(printed, name=name) for name in table.published_accuracy if _has_panel(table, name)]
    names = table.columns if table.figure == "shares" else [name for name in ("macs_paper",) if name in table.columns]
    panels += [partial(_draw_costs, rows=rows, name=name) for name in names]
    return panels or [partial(printed, name="miou")]


def _has_panel(table: Ablation, name: str) -> bool:
    """Whether any number of a published column is known: a panel without one shows nothing."""
    cells = [row.published[name] for row in table.rows if name in row.published]
    return any(cell.value is not None for cell in cells)


def _short(table: Ablation, row: AblationRow, *, tell: bool) -> str:
    """The label; below it that it is the baseline, and what the paper says where no panel does."""
    label = row.label if len(row.label) <= _LONGEST else row.label[: _LONGEST - 3] + "..."
    notes = ["baseline"] if row.label == table.baseline else []
    notes += [f"paper, no number: {row.claim.direction}"] if row.claim and tell else []
    return "\n".join([label, *([f"({'; '.join(notes)})"] if notes else [])])


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
        dots = ax.scatter(
            list(runs.scores.values()), [place] * len(runs.scores), s=16, color=BLUE, alpha=0.6, linewidths=0
        )
        dots.set_gid(_seeds_id(place))
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
    ax.set_xlabel(
        f"{metric_words(source.label)}, measured on {source.base}, {source.spent}\n"
        "dots: seeds; bar: mean, with its 95 % interval\n"
        "letters: rows that share one are not shown to differ",
        fontsize=9,
    )
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
    ax.set_xlabel(f"{COLUMNS[name].heading} on the paper's data,\nprinted: {source}", color=VERMILION, fontsize=9)
    ax.margins(x=0.12)


def _draw_costs(ax: Axes, *, rows: Sequence[AblationRow], name: str) -> None:
    """Ours as dots and the printed number as a hollow mark: one unit, one axis."""
    scale = COLUMNS[name].scale
    ours = [(place, row.costs[name]) for place, row in enumerate(rows) if name in row.costs]
    ax.scatter([scale * metric.value for _, metric in ours], [place for place, _ in ours], s=30, color=GREEN, zorder=3)
    # A peer of fifty times the size would squeeze the rows that are compared into one point.
    printed = [(place, _printed(row, name)) for place, row in enumerate(rows) if name in row.costs]
    for place, value in printed:
        if value:
            ax.scatter(value, place, **_HOLLOW)
    diamond = "; diamond: printed" if any(value for _, value in printed) else ""
    ax.set_xlabel(f"{COLUMNS[name].heading}\ndot: counted here{diamond}", fontsize=9)
    ax.margins(x=0.12)
    ax.set_xlim(left=0)


def _draw_latency(table: Ablation, ax: Axes) -> None:
    """Printed accuracy over printed latency, as large as the network, and our prediction of the latency as a line."""
    frame(ax)
    rows = [row for row in table.rows if _printed(row, "miou") and _printed(row, "latency_ms")]
    names, times, lines = [], [], []
    for row in rows:
        latency, miou, ours = _printed(row, "latency_ms"), _printed(row, "miou"), row.costs.get("latency_ms")
        color = VERMILION if row.fingerprint else MUTED
        ax.scatter(latency, miou, **{**_HOLLOW, "marker": "o", "s": _area(row), "edgecolors": color}, zorder=3)
        names.append(Name(row.label, latency, miou, TEXT))
        times.append(latency)
        if ours is not None and ours.low is not None and ours.high is not None:
            alpha = 1.0 if row.fingerprint else 0.35
            ax.hlines(miou, ours.low, ours.high, color=BLUE, alpha=alpha, linewidth=1.5, zorder=2)
            ax.scatter(ours.value, miou, s=18, color=BLUE, alpha=alpha, linewidths=0, zorder=4)
            times.append(ours.value)
            lines += [(x, miou) for x in np.geomspace(ours.low, ours.high, 9)]
    ax.set_xscale("log")
    # By what was printed and predicted: an interval may go on beyond the border.
    ax.set_xlim(min(times) / 1.5, max(times) * 1.8)
    _milliseconds(ax)
    ax.set_xlabel("latency (ms) on one ARM core of a Snapdragon 865, to logits at 1/8 of the image")
    ax.set_ylabel("mIoU (%) on ADE20K, as printed")
    ax.margins(y=0.08)
    ax.autoscale_view(scalex=False)
    _draw_keys(ax)
    rings = [ring for name, row in zip(names, rows, strict=True) for ring in _ring(ax, name, _area(row))]
    annotate(ax, names, np.array([*rings, *lines]).reshape(-1, 2), size=7.5)


def _ring(ax: Axes, name: Name, area: float) -> Sequence[tuple[float, float]]:
    """Places on the edge of a mark and in its middle, in data coordinates, that names should leave free."""
    radius = np.sqrt(area / np.pi) * ax.figure.dpi / 72
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    middle = ax.transData.transform((name.x, name.y))
    edge = middle + radius * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return [(name.x, name.y), *map(tuple, ax.transData.inverted().transform(edge))]


def _printed(row: AblationRow, name: str) -> float:
    """A number of the paper; 0 where it is not known."""
    cell = row.published.get(name)
    return 0.0 if cell is None or cell.value is None else cell.value


def _area(row: AblationRow) -> float:
    """The area of a mark in square points: as many as the network has parameters."""
    return 14.0 * _printed(row, "parameters") or 20.0


def _milliseconds(ax: Axes) -> None:
    """Milliseconds as people say them: 50, 100, 200, not powers of ten."""
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _draw_keys(ax: Axes) -> None:
    """The legend, above the plot."""
    circle: dict[str, Any] = {"marker": "o", "facecolors": "white", "linewidths": 1.5}
    ax.scatter([], [], s=42, edgecolors=VERMILION, label="TopFormer, printed", **circle)
    ax.scatter([], [], s=42, edgecolors=MUTED, label="others, printed", **circle)
    ax.plot([], [], color=BLUE, marker="o", markersize=4, linewidth=1.5, label="latency predicted here, 95 % interval")
    for millions in (1, 5, 15):
        ax.scatter([], [], s=14.0 * millions, edgecolors=TEXT, label=f"{millions} M parameters", **circle)
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, frameon=False, fontsize=8.5, labelcolor=TEXT,
        borderaxespad=0.3, columnspacing=1.6,
    )  # fmt: skip

"""Figures of a ladder: what each rung is worth against what it costs, and what it says of each design."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from analysis.plots.inline import inline_svg
from analysis.plots.labels import Name, annotate
from analysis.plots.style import BLUE, FAINT, GREEN, MUTED, TEXT, VERMILION, frame, save, style
from analysis.plots.words import rung_words
from analysis.results.ladder import Ladder, RungQuality

DPI = 150
_COLUMNS = 4
"""Panels beside each other."""
_COLOURS = {"exact": MUTED, "count": MUTED, "proxy": GREEN, "trained": VERMILION}


@dataclass(frozen=True, slots=True)
class Panel:
    """What one rung says of designs, and what the truth says of them.

    Attributes:
        title: The rung.
        note: How well its order is that of the truth.
        points: Name of each design, what the rung says, and the truth.
        source: Where its numbers come from; it gives the colour.
    """

    title: str
    note: str
    points: Sequence[tuple[str, float, float]]
    source: str = ""


def save_ladder(found: Ladder, path: Path) -> Path:
    """Draw what the rungs are worth into a file whose ending says the format.

    Raises:
        StorageError: The file cannot be written.
    """
    with style(10):
        return save(_figure(found), path)


def ladder_svg(found: Ladder) -> str:
    """The same as an element of a page; every mark says its rung when it is pointed at."""
    told = [
        f"{rung_words(one.rung, one.source)}: tau {one.tau:.2f} [{one.low:.2f}, {one.high:.2f}], "
        f"{one.seconds_per_design:.3g} s per design, {one.designs} designs"
        for one in _known(found)
    ]
    tips = {f"rung-{place}": [text] for place, text in enumerate(told)}
    with style(10):
        return inline_svg(_figure(found), "ladder", tips)


def panels_svg(panels: Sequence[Panel], truth: str, name: str = "panels") -> str:
    """Panels beside each other as an element of a page; every mark says its design when it is pointed at.

    Args:
        panels: At least one.
        truth: What stands on the vertical axes.
        name: What no other figure of the page is called.
    """
    tips = {
        f"panel-{place}": [f"{design}: {x:.4g}, {truth} {y:.4g}" for design, x, y in panel.points]
        for place, panel in enumerate(panels)
        if panel.points
    }
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with style(9):
        figure = Figure(figsize=(3.0 * columns, 2.7 * rows + 0.3), dpi=DPI, layout="constrained", facecolor="white")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for place, (panel, ax) in enumerate(zip(panels, axes, strict=False)):
            draw_panel(panel, ax, truth if place % columns == 0 else "", gid=f"panel-{place}")
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        return inline_svg(figure, name, tips)


def draw_panel(panel: Panel, ax: Axes, truth: str, *, gid: str = "") -> None:
    """One rung against the truth, a mark per design."""
    points = np.array([[x, y] for _, x, y in panel.points]).reshape(-1, 2)
    marks = ax.scatter(
        points[:, 0], points[:, 1], s=16, color=_COLOURS.get(panel.source, BLUE), alpha=0.75, linewidths=0
    )
    if gid:
        marks.set_gid(gid)
    ax.set_title(f"{panel.title}\n{panel.note}" if panel.note else panel.title, fontsize=9, color=TEXT)
    ax.set_ylabel(truth, color=TEXT)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=4))
        axis.set_major_formatter(FuncFormatter(_short))
    frame(ax)


def _short(value: float, _: object) -> str:
    """1.2M for 1,200,000."""
    for least, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= least:
            return f"{value / (1e3 if letter == 'k' else least):g}{letter}"
    return f"{value:g}"


def _figure(found: Ladder) -> Figure:
    figure = Figure(figsize=(8.4, 4.8), dpi=DPI, layout="constrained", facecolor="white")
    draw_ladder(found, figure.add_subplot())
    return figure


def _known(found: Ladder) -> list[RungQuality]:
    """Rungs of which a tau can be stated."""
    return [one for one in found.rungs if one.tau is not None]


def draw_ladder(found: Ladder, ax: Axes) -> None:
    """Agreement with the truth over seconds per design, with intervals; the ceiling above."""
    rungs = _known(found)
    free = _free(rungs)
    places = [one.seconds_per_design or free for one in rungs]
    ax.set_xscale("log")
    ax.set_xlim(free / 2.5, max([*places, 10 * free]) * 4)
    lows, highs = [one.low or 0.0 for one in rungs], [one.high or 0.0 for one in rungs]
    ax.set_ylim(min([*lows, -0.1]) - 0.06, 1.06)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    if found.ceiling is not None:
        how = "measured" if found.is_measured else "expected"
        ax.axhspan(found.ceiling.low, found.ceiling.high, color=FAINT, alpha=0.6, linewidth=0)
        ax.axhline(found.ceiling.tau, color=TEXT, linewidth=1, linestyle=(0, (5, 4)),
                   label=f"ceiling, {how}: two seeds of a full training")  # fmt: skip
    names = []
    # Costs share a place: side by side, not on top of each other.
    count: dict[float, int] = {}
    for number, (one, place) in enumerate(zip(rungs, places, strict=True)):
        shifted = place * 1.22 ** count.get(place, 0)
        count[place] = count.get(place, 0) + 1
        colour = _COLOURS.get(one.source, BLUE)
        ax.vlines(shifted, one.low or 0.0, one.high or 0.0, color=colour, linewidth=1.4, alpha=0.6)
        ax.scatter([shifted], [one.tau or 0.0], s=34, color=colour, zorder=3, linewidths=0).set_gid(f"rung-{number}")
        names.append(Name(rung_words(one.rung, one.source), shifted, one.tau or 0.0, TEXT))
    for label, colour in (("counted", MUTED), ("proxy", GREEN), ("other scores", BLUE), ("training, cut", VERMILION)):
        if any(_COLOURS.get(one.source, BLUE) == colour for one in rungs):
            ax.scatter([], [], s=34, color=colour, linewidths=0, label=label)
    ax.plot([], [], color=MUTED, linewidth=1.4, label="95 % interval over designs")
    frame(ax)
    ax.xaxis.set_major_locator(LogLocator())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value <= free * 1.01 else f"{value:g}"))
    ax.set_xlabel("processor seconds per design", color=TEXT)
    ax.set_ylabel(f"Kendall's tau with {found.truth} iterations", color=TEXT)
    ax.set_title(f"What each rung is worth: its order of {found.designs} designs against that of full trainings",
                 fontsize=10.5, color=TEXT)  # fmt: skip
    bars = [(name.x, y) for name, low, high in zip(names, lows, highs, strict=True) for y in np.linspace(low, high, 12)]
    # Marks count more than their intervals: a name may cross a line, not cover a dot.
    marks = [(name.x, name.y) for name in names] * 4
    annotate(ax, names, np.array([*bars, *marks]).reshape(-1, 2), size=8)
    ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, labelcolor=TEXT)


def _free(rungs: Sequence[RungQuality]) -> float:
    """Where what costs nothing stands on a logarithmic axis: a decade below the cheapest, or more."""
    paid = [one.seconds_per_design for one in rungs if one.seconds_per_design]
    return float(10.0 ** (np.floor(np.log10(min(paid, default=1.0))) - 1))

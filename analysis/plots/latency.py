"""Plots of latencies: shares of a network's parts beside the paper's Figure 3, and devices against their data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from analysis.plots.inline import inline_svg
from analysis.plots.labels import Name, annotate
from analysis.plots.style import BLUE, GREEN, GRID, MUTED, PURPLE, TEXT, VERMILION, save, style
from analysis.reference import number, paper_table
from search_space.latency.calibration.left_out import DeviceReport, HeldOutPrediction
from search_space.latency.explain import Explanation

SIZE_INCHES, DPI = (8.0, 4.0), 150
_COLOURS: Mapping[str, str] = {"pyramid": BLUE, "extractor": VERMILION, "injection": GREEN, "head": PURPLE}
_QUANTITIES = {"parameters": "params_share", "macs_conv_matmul": "flops_share", "milliseconds": "latency_share"}
_LABELS = {"parameters": "parameters", "macs_conv_matmul": "MACs", "milliseconds": "latency"}


def save_shares(explanation: Explanation, path: Path, *, title: str, printed: bool = False) -> Path:
    """Draws the shares of the parts and writes them to `path`.

    Args:
        explanation: Of the network.
        path: PNG file to write.
        title: Above the plot.
        printed: Whether to mark what the paper's Figure 3 prints for the extractor of Tiny.

    Raises:
        StorageError: The file cannot be written.
    """
    with style(10):
        figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
        draw_shares(explanation.shares(), figure.add_subplot(), printed=_printed() if printed else {})
        figure.suptitle(title, fontsize=11)
        return save(figure, path)


def draw_shares(shares: Mapping[str, Mapping[str, float]], ax: Axes, *, printed: Mapping[str, float]) -> None:
    """One stacked bar per quantity, the extractor at its foot so that a printed share can be marked on it."""
    for row, (quantity, parts) in enumerate(shares.items()):
        left = 0.0
        for part in sorted(parts, key=lambda name: name != "extractor"):
            share = parts[part]
            ax.barh(row, share, left=left, color=_COLOURS[part], label=part if row == 0 else None)
            if share > 0.04:
                ax.text(left + share / 2, row, f"{share:.0%}", ha="center", va="center", color="white", fontsize=9)
            left += share
        if quantity in printed:
            ax.plot([printed[quantity]] * 2, [row - 0.45, row + 0.45], color=TEXT, linewidth=2.5)
    if printed:
        ax.plot([], [], color=TEXT, linewidth=2.5, label="extractor in the paper's Figure 3")
    ax.set_yticks(range(len(shares)), [_LABELS[name] for name in shares])
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=5, frameon=False, fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)


def _printed() -> dict[str, float]:
    """Quantity to the printed share of the extractor, where it is known."""
    (row,) = paper_table("figure_03_shares_tiny")
    shares = {quantity: number(row, column) for quantity, column in _QUANTITIES.items()}
    return {quantity: share for quantity, share in shares.items() if share is not None}


def save_device(report: DeviceReport, path: Path) -> Path:
    """Draws what was measured against what was predicted without it, and writes it to `path`.

    Raises:
        StorageError: The file cannot be written.
    """
    with style(10):
        return save(_device_figure(report), path)


def device_svg(report: DeviceReport) -> str:
    """The same as an element of a page; every mark says its network when it is pointed at."""
    tips = {
        f"networks-{place}": [_told(one) for one in found] for place, (_, found) in enumerate(_kinds(report)) if found
    }
    with style(10):
        return inline_svg(_device_figure(report), "device", tips)


def _device_figure(report: DeviceReport) -> Figure:
    figure = Figure(figsize=(7.2, 5.6), dpi=DPI, layout="constrained", facecolor="white")
    draw_device(report, figure.add_subplot())
    return figure


def _kinds(report: DeviceReport) -> tuple[tuple[str, Sequence[HeldOutPrediction]], ...]:
    """What the networks are to the fit, and the predictions for them."""
    # Those beside the fit come last; of few rows the fitted ones are missing.
    last = len(report.predictions) - len(report.model.others)
    fitted, beside = report.predictions[:last], report.predictions[last:]
    return (("fitted, each left out", fitted), ("beside the fit", beside), ("in no fit at all", report.held_out))


def _told(one: HeldOutPrediction) -> str:
    return (
        f"{one.row.name} ({one.row.family}): measured {one.row.latency_ms:g} ms, predicted {one.milliseconds:.4g} "
        f"[{one.low:.4g}, {one.high:.4g}] ms, {one.error:+.1%}"
    )


def draw_device(report: DeviceReport, ax: Axes) -> None:
    """Both on log scales, the 95 % interval of every prediction as a line, a band of 10 % around the diagonal."""
    everything = [one for _, found in _kinds(report) for one in found]
    times = [time for one in everything for time in (one.row.latency_ms, one.milliseconds)]
    ends = [min(times, default=1.0) / 1.5, max(times, default=1.0) * 1.5]
    ax.fill_between(ends, [0.9 * end for end in ends], [1.1 * end for end in ends], color=GRID, label="within 10 %")
    ax.plot(ends, ends, color=TEXT, linewidth=0.8)
    colours, marks = (BLUE, GREEN, VERMILION), "osD"
    for place, ((kind, found), colour, mark) in enumerate(zip(_kinds(report), colours, marks, strict=True)):
        if found:
            measured = [one.row.latency_ms for one in found]
            lows, highs = [one.low for one in found], [one.high for one in found]
            ax.vlines(measured, lows, highs, color=colour, linewidth=1.2, alpha=0.45)
            points = ax.scatter(
                measured, [one.milliseconds for one in found], s=26, marker=mark, color=colour, linewidths=0, zorder=3,
                label=f"{kind} ({len(found)})",
            )  # fmt: skip
            points.set_gid(f"networks-{place}")
    ax.plot([], [], color=MUTED, linewidth=1.2, label="its 95 % interval")
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_locator(NullLocator())
    ax.set_xlabel("latency as measured (ms)")
    ax.set_ylabel("latency predicted without the network or its family (ms)")
    ax.set_title(f"{report.model.name}: how far predictions are from measured latencies", fontsize=10.5)
    _name_worst(ax, everything)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=8, frameon=False, loc="upper left")


def _name_worst(ax: Axes, found: Sequence[HeldOutPrediction], count: int = 3) -> None:
    """Names of the networks that are off most."""
    worst = sorted(found, key=lambda one: -abs(one.error))[:count]
    names = [Name(f"{one.row.name} {one.error:+.0%}", one.row.latency_ms, one.milliseconds, TEXT) for one in worst]
    lines = [(one.row.latency_ms, y) for one in found for y in np.geomspace(one.low, one.high, 12)]
    points = [(one.row.latency_ms, one.milliseconds) for one in found]
    diagonal = [(x, x) for x in np.geomspace(*ax.get_xlim(), 60)]
    annotate(ax, names, np.array([*points, *lines, *diagonal]).reshape(-1, 2), size=7.5)

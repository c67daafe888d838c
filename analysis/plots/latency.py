"""Plots of latencies: shares of a network's parts beside the paper's Figure 3, and devices against their data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from analysis.plots.style import BLUE, GREEN, PURPLE, TEXT, VERMILION, save, style
from analysis.reference import number, paper_table
from search_space.latency.explain import Explanation
from search_space.latency.model import DeviceModel

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


def save_device(model: DeviceModel, path: Path) -> Path:
    """Draws what was measured against what was predicted without it, and writes it to `path`.

    Raises:
        StorageError: The file cannot be written.
    """
    with style(10):
        figure = Figure(figsize=(6.0, 5.0), dpi=DPI, layout="constrained")
        draw_device(model, figure.add_subplot())
        return save(figure, path)


def draw_device(model: DeviceModel, ax: Axes) -> None:
    """Both on log scales, one marker per family, a band of 10 % around the diagonal."""
    rows = [*model.rows, *model.others]
    times = [time for row in rows for time in (row.measured_ms, row.family_out_ms or row.left_out_ms)]
    ends = [min(times) / 1.3, max(times) * 1.3]
    ax.fill_between(
        ends, [0.9 * end for end in ends], [1.1 * end for end in ends], color="#EEEEEE", label="within 10 %"
    )
    ax.plot(ends, ends, color=TEXT, linewidth=0.8)
    for family, marker in zip(dict.fromkeys(row.family for row in rows), _markers(), strict=False):
        own = [row for row in rows if row.family == family]
        fitted = own[0] in model.rows
        predicted = [row.family_out_ms or row.left_out_ms for row in own]
        colour = BLUE if fitted else VERMILION
        ax.scatter(
            [row.measured_ms for row in own],
            predicted,
            s=28,
            marker=marker,
            facecolors="none",
            edgecolors=colour,
            label=family if fitted else f"{family} (beside the fit)",
        )
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_locator(NullLocator())
    ax.set_xlabel("latency as measured (ms)")
    ax.set_ylabel("latency predicted without the network or its family (ms)")
    ax.set_title(f"{model.name}: how far predictions are from measured latencies", fontsize=10.5)
    ax.legend(fontsize=8, frameon=False)


def _markers() -> Sequence[str]:
    return tuple("os^vDP*X<>ph8d")

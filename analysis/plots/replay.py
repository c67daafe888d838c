"""The figure of a replay: what each sampler has reached, over trainings and over their seconds, with bands."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.style import BLUE, GREEN, GRID, MUTED, PURPLE, TEXT, VERMILION, save, style

SIZE_INCHES, DPI = (10.0, 4.4), 150
_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's; random search is grey."""
_RANDOM = "random"
_DASHES = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)))
"""Samplers that begin with the same designs have the same curve for a while: through dashes those below are seen."""


class Curve(Protocol):
    """What is drawn of a sampler; every series has one number per training's worth of iterations."""

    @property
    def name(self) -> str:
        """The sampler."""
        ...

    @property
    def low(self) -> Sequence[float]:
        """Lower end of the band of the share of the hypervolume."""
        ...

    @property
    def median(self) -> Sequence[float]:
        """Median of the share."""
        ...

    @property
    def high(self) -> Sequence[float]:
        """Upper end of the band."""
        ...

    @property
    def seconds(self) -> Sequence[float]:
        """Processor seconds of training by then."""
        ...


def save_replay(curves: Sequence[Curve], path: Path, *, title: str) -> Path:
    """Draw a replay into a file whose ending says the format.

    Raises:
        StorageError: The file cannot be written.
    """
    with style(10):
        figure = Figure(figsize=SIZE_INCHES, dpi=DPI, facecolor="white", layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        draw_replay(curves, left, right)
        figure.suptitle(title, fontsize=11, color=TEXT, x=0.01, ha="left")
        return save(figure, path)


def draw_replay(curves: Sequence[Curve], left: Axes, right: Axes) -> None:
    """Draw shares over trainings' worth of iterations onto `left`, over seconds onto `right`."""
    colours = iter(_COLOURS * len(curves))
    for place, curve in enumerate(curves):
        colour = MUTED if curve.name == _RANDOM else next(colours)
        worth = np.arange(1, len(curve.median) + 1)
        begun = np.asarray(curve.median) > 0
        for ax, across in ((left, worth), (right, np.asarray(curve.seconds) / 60)):
            ax.plot(
                across[begun],
                np.asarray(curve.median)[begun],
                color=colour,
                label=curve.name,
                linewidth=1.8,
                linestyle=_DASHES[place % len(_DASHES)],
                zorder=3 + place,
            )
            ax.fill_between(
                across[begun], np.asarray(curve.low)[begun], np.asarray(curve.high)[begun], color=colour, alpha=0.12,
                linewidth=0,
            )  # fmt: skip
    for ax, label in ((left, "trainings' worth of iterations"), (right, "processor minutes of training")):
        ax.set_xlabel(label, color=TEXT)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color=GRID, linewidth=0.8)
        ax.set_axisbelow(True)
    left.set_ylabel("share of the pool's hypervolume\nmedian, band: 5 to 95 %", color=TEXT)
    left.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(0, -0.14), ncols=3)

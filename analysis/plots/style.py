"""What all figures share: colours, the settings of matplotlib, and writing one to a file."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from topformer.errors import InputError, StorageError
from topformer.files import MIB, check_place

# Okabe and Ito's colours (2008), told apart by readers with any colour vision.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
MUTED, FAINT, TEXT, GRID = "#9A9A9A", "#DADADA", "#333333", "#EEEEEE"

STYLE: Mapping[Any, Any] = MappingProxyType(
    {
        # A fixed salt, so that equal data gives an equal SVG.
        "svg.hashsalt": "topformer-explorer",
        "svg.fonttype": "none",
        "font.family": ["DejaVu Sans"],
        "axes.unicode_minus": False,
    }
)
"""Settings under which every figure is drawn; the size of the text is the figure's own."""

_MAKER = "TopFormer Explorer"
# The time of writing and the version of matplotlib would make two files of one figure differ.
_METADATA: Mapping[str, Mapping[str, str | None]] = MappingProxyType(
    {".svg": {"Date": None, "Creator": _MAKER}, ".png": {"Software": _MAKER}}
)


def style(font_size: float) -> Any:
    """A context with `STYLE` and this text size in points.

    The SVG backend reads its settings nowhere else than in matplotlib's global ones: they are put back at the end.
    """
    return matplotlib.rc_context({**STYLE, "font.size": font_size})


def check_figure(path: Path) -> None:
    """A figure that a user asks for may be written here; to be asked before what it shows is worked out.

    Raises:
        InputError: Its ending is of no format, or something else than a figure of this project is there.
    """
    if path.suffix.lower() not in _METADATA:
        raise InputError(f"a figure must be a file that ends in {' or '.join(_METADATA)}, got {path}")
    check_place(path, _is_figure, (), made="figure of topformer")


def _is_figure(path: Path) -> bool:
    with path.open("rb") as file:
        return _MAKER.encode() in file.read(MIB)


def frame(ax: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Two quiet borders, and a grid behind everything."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(MUTED)
    ax.tick_params(colors=TEXT, color=MUTED)
    ax.grid(axis=grid, color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)


def save(figure: Figure, path: Path, **options: Any) -> Path:
    """Write a figure in the format of the file's ending.

    Args:
        figure: What is drawn.
        path: The file.
        options: Of matplotlib's `savefig`.

    Raises:
        StorageError: The file cannot be written, or its ending is of no format.
    """
    FigureCanvasAgg(figure)
    try:
        figure.savefig(path, metadata=_METADATA.get(path.suffix.lower()), **options)
    except OSError as error:
        raise StorageError(f"cannot write the figure {error.filename or path}: {error.strerror or error}") from error
    except ValueError as error:
        raise StorageError(f"cannot write the figure {path}: {error}") from error
    return path

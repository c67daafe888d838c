"""A drawing of a design as SVG: pyramid, pooled tokens, extractor, injected scales and head.

Colours are variables of the page around it, with values of its own for light and dark where there is none.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import log2
from pathlib import Path

from analysis.results.design_words import extractor_text, in_words, pooled_text, row_text, rows_by_scale
from topformer.design import SCALES, Design, Pooled
from topformer.errors import InputError
from topformer.files import MIB, check_place, read_text, write_text

WIDTH = 720
"""Of a drawing, in pixels."""
_COLUMN, _LEFT, _ROW = 150, 100, 24
_BAR_LEAST, _BAR_MOST = 34, 134
_STYLE = """<style>
.td{--ink:#222;--line:#888;--stem:#dfe6ec;--row:#bcd8ec;--tap:#56a0d3;--sem:#f3c79b;--inj:#9fd6c2;--off:#c9c9c9}
@media(prefers-color-scheme:dark){.td{--ink:#e8e8e8;--line:#8a8f96;--stem:#3a444d;--row:#25506f;--tap:#2f7fb8;
--sem:#8a5a2b;--inj:#2c7a62;--off:#555}}
.td text{font:12px system-ui,sans-serif;fill:var(--ink)}.td .s{font-size:11px}.td .h{font-weight:600}
.td path{fill:none;stroke:var(--line);stroke-width:1.3}.td rect{rx:3px}
</style>"""


def draw_design(design: Design, title: str = "") -> str:
    """The design as an SVG document.

    A bar of the pyramid is a row, as wide as its channels are many on a scale of logarithms; the dark one of a column
    gives the token map of its scale. Lines are the ways of the token maps.

    Args:
        design: What is drawn.
        title: Above it.
    """
    pyramid_end = 58 + _ROW * (1 + max(map(len, rows_by_scale(design))))
    extractor, injection = pyramid_end + 34, pyramid_end + 108
    parts = [
        *_heading(design, title),
        *_pyramid(design),
        *_pooling(design, extractor),
        *_injection(design, extractor, injection),
        *_head(design, injection),
    ]
    height = injection + 118
    return (
        f'<svg class="td" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="{escape(in_words(design))}">{_STYLE}{"".join(parts)}</svg>'
    )


def _heading(design: Design, title: str) -> Iterator[str]:
    yield _text(10, 18, title or in_words(design), "h" if title else "")
    for column, scale in enumerate(SCALES):
        yield _text(_middle(column), 46, f"1/{scale}", "h", anchor="middle")
    yield _text(10, 46, "scale")


def _pyramid(design: Design) -> Iterator[str]:
    """The rows of every scale below each other, the stem first."""
    yield _text(10, 74, "pyramid")
    widest = max(row.channels for row in design.rows)
    yield _bar(0, 0, design.stem.channels, widest, f"stem {design.stem.channels}", "stem")
    for column, rows in enumerate(rows_by_scale(design)):
        for place, row in enumerate(rows):
            # The stem stands above the rows of the first scale.
            line = place + (1 if column == 0 else 0)
            yield _bar(column, line, row.channels, widest, row_text(row), "tap" if place == len(rows) - 1 else "row")


def _bar(column: int, line: int, channels: int, widest: int, text: str, fill: str) -> str:
    share = log2(1 + channels) / log2(1 + widest)
    width = _BAR_LEAST + share * (_BAR_MOST - _BAR_LEAST)
    y = 58 + _ROW * line
    return _rect(_middle(column) - width / 2, y, width, _ROW - 4, fill) + _text(
        _middle(column), y + 14, text, "s", anchor="middle"
    )


def _pooling(design: Design, y: float) -> Iterator[str]:
    """From the pooled scales to the extractor, which spans all columns."""
    pooled = range(len(SCALES)) if design.pooled is Pooled.ALL else [len(SCALES) - 1]
    counts = [len(rows) for rows in rows_by_scale(design)]
    for column in pooled:
        start = 58 + _ROW * (counts[column] + (1 if column == 0 else 0)) - 4
        yield _path(f"M{_middle(column)} {start}V{y}")
    left = _LEFT
    yield _text(10, y + 16, "semantics")
    yield _rect(left, y, WIDTH - left - 20, 44, "sem")
    middle = (left + WIDTH - 20) / 2
    yield _text(middle, y + 17, f"pooled: {pooled_text(design)}, {design.embedding} channels", "s", anchor="middle")
    yield _text(middle, y + 34, extractor_text(design), "s", anchor="middle")


def _injection(design: Design, extractor: float, y: float) -> Iterator[str]:
    """A box below each scale that semantics are injected into, an empty one below each other."""
    yield _text(10, y + 16, "injection")
    yield _text(10, y + 32, design.injection.value, "s")
    for column, scale in enumerate(SCALES):
        x = _middle(column) - 66
        if scale in design.injected:
            yield _path(f"M{_middle(column)} {extractor + 44}V{y}")
            yield _path(f"M{_middle(column)} {y + 24}V{y + 52}")
            yield _rect(x, y, 132, 24, "inj")
            yield _text(_middle(column), y + 16, f"{design.tap_channels[column]} to {design.width}", "s", "middle")
        else:
            yield _rect(x, y, 132, 24, "none", dashed=True)
            yield _text(_middle(column), y + 16, "not injected", "s", "middle")


def _head(design: Design, injection: float) -> Iterator[str]:
    y = injection + 52
    yield _text(10, y + 16, "head")
    yield _rect(_LEFT, y, WIDTH - _LEFT - 20, 24, "inj")
    finest = design.injected[0]
    text = f"{design.head.value}: {design.width} channels to {design.num_classes} classes, logits at 1/{finest}"
    yield _text((_LEFT + WIDTH - 20) / 2, y + 16, text, "s", anchor="middle")


def _middle(column: int) -> float:
    return _LEFT + _COLUMN * (column + 0.5)


def _rect(x: float, y: float, width: float, height: float, fill: str, *, dashed: bool = False) -> str:
    paint = 'fill="none" style="stroke:var(--off);stroke-dasharray:4 3"' if dashed else f'style="fill:var(--{fill})"'
    return f'<rect x="{x:g}" y="{y:g}" width="{width:.4g}" height="{height:g}" {paint}/>'


def _path(steps: str) -> str:
    return f'<path d="{steps}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    classes = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{classes} text-anchor="{anchor}">{escape(text)}</text>'


def write_drawing(path: Path, designs: Sequence[tuple[str, Design]]) -> None:
    """Write designs, each with its title, below each other as one SVG file.

    Args:
        path: The file, whose name ends in `.svg`.
        designs: Title and design of each drawing.

    Raises:
        InputError: The file has another ending, or holds what is no drawing of a design.
        StorageError: The disk does not take it.
    """
    if path.suffix != ".svg":
        raise InputError(f"a drawing must be a file that ends in .svg, got {path}")
    check_place(path, _is_drawing, (), made="drawing of topformer draw or compare")
    drawings = [draw_design(design, title) for title, design in designs]
    if len(drawings) == 1:
        write_text(path, drawings[0])
        return
    heights = [int(drawing.partition(' height="')[2].partition('"')[0]) for drawing in drawings]
    tops = [sum(heights[:place]) for place in range(len(heights))]
    placed = (drawing.replace("<svg ", f'<svg y="{top}" ', 1) for drawing, top in zip(drawings, tops, strict=True))
    total = sum(heights)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}" width="{WIDTH}" height="{total}">'
    write_text(path, "".join([head, *placed, "</svg>"]))


def _is_drawing(path: Path) -> bool:
    return 'class="td"' in read_text(path, most=MIB)

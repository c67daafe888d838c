"""Figures inside a page."""

from matplotlib.figure import Figure

from analysis.plots.inline import inline_svg
from analysis.plots.style import BLUE, TEXT, style


def drawn() -> Figure:
    figure = Figure()
    ax = figure.add_subplot()
    ax.scatter([1, 2, 3], [1, 2, 3], color=BLUE).set_gid("dots")
    ax.set_title("a < b", color=TEXT)
    return figure


def test_colours_are_those_of_the_page() -> None:
    with style(10):
        text = inline_svg(drawn(), "f")
    assert "var(--accent)" in text
    assert "var(--ink)" in text
    assert BLUE.lower() not in text
    assert "<style" not in text


def test_every_mark_says_what_it_is() -> None:
    with style(10):
        text = inline_svg(drawn(), "f", {"dots": ["one", "<two>", "three"]})
    assert [text.count(f"<title>{word}</title>") for word in ("one", "&lt;two&gt;", "three")] == [1, 1, 1]
    assert 'id="f-dots"' in text

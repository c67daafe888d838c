"""The figure of a replay."""

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from analysis.plots.replay import draw_replay, save_replay


@dataclass(frozen=True)
class Drawn:
    name: str
    low: tuple[float, ...] = (0.0, 0.1, 0.4)
    median: tuple[float, ...] = (0.0, 0.2, 0.5)
    high: tuple[float, ...] = (0.0, 0.3, 0.6)
    seconds: tuple[float, ...] = (60.0, 120.0, 180.0)


def test_curves_begin_where_something_is_reached() -> None:
    left, right = Figure().subplots(1, 2)
    draw_replay([Drawn("random"), Drawn("tpe")], left, right)
    assert [line.get_label() for line in left.lines] == ["random", "tpe"]
    assert left.lines[0].get_xdata().tolist() == [2, 3]
    assert right.lines[1].get_xdata().tolist() == [2, 3]
    assert left.lines[0].get_color() != left.lines[1].get_color()


def test_equal_data_gives_equal_files(tmp_path: Path) -> None:
    first, second = (save_replay([Drawn("random")], tmp_path / f"{n}.svg", title="t") for n in (1, 2))
    assert first.read_bytes() == second.read_bytes()

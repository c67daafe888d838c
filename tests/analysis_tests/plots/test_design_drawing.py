"""Drawings of designs."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from analysis.plots.design_drawing import draw_design, write_drawing
from topformer.design import Extractor, Pooled
from topformer.errors import InputError
from topformer.presets import BASE, NANO, TINY

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


def test_every_row_scale_and_width_is_drawn() -> None:
    found = texts(draw_design(BASE, "base"))
    assert found[0] == "base"
    assert found.count("5x5 x6 to 160") == 2
    assert [text for text in found if text.endswith("to 256")] == ["64 to 256", "128 to 256", "160 to 256"]
    assert found.count("not injected") == 1
    assert any("8 heads" in text for text in found)
    assert any("150 classes, logits at 1/8" in text for text in found)


def test_only_what_is_pooled_has_a_way_to_the_extractor() -> None:
    ways = [draw_design(replace(NANO, pooled=pooled)).count("<path") for pooled in (Pooled.ALL, Pooled.LAST)]
    assert ways[0] - ways[1] == 3


def test_names_of_users_are_shown_as_text() -> None:
    hostile = "<script>alert(1)</script>"
    assert texts(draw_design(replace(TINY, extractor=Extractor.PPM), hostile))[0] == hostile


def test_several_designs_stand_below_each_other(tmp_path: Path) -> None:
    path = tmp_path / "both.svg"
    write_drawing(path, [("base", BASE), ("nano", NANO)])
    first, second = ElementTree.parse(path).getroot().findall(f"{SVG}svg")
    assert int(second.attrib["y"]) == int(first.attrib["y"]) + int(first.attrib["height"])
    write_drawing(path, [("nano", NANO)])


def test_a_file_that_is_no_drawing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.svg").write_text("<svg/>")
    with pytest.raises(InputError, match="no drawing of topformer draw"):
        write_drawing(tmp_path / "mine.svg", [("nano", NANO)])
    with pytest.raises(InputError, match=r"ends in \.svg, got .*mine\.png"):
        write_drawing(tmp_path / "mine.png", [("nano", NANO)])

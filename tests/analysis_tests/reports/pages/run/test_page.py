"""The page of a run, as a file and in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.reports.pages.page import is_page
from analysis.reports.pages.run.run_page import run_page, write_run_page
from tests.analysis_tests.examples import run_folder
from tests.analysis_tests.reports.pages.browser import browser
from tests.analysis_tests.reports.pages.run.runs import HOSTILE, facts, some
from topformer.errors import InputError


def test_the_page_is_one_file_that_asks_for_nothing(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    path = write_run_page(run_folder(tmp_path / "run", some()))
    assert path == tmp_path / "run" / "report.html"
    head, _, rest = path.read_text().partition("</head>")
    assert "default-src 'none'" in head
    assert 'http-equiv="refresh"' not in head
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", rest.partition('id="data"')[0])
    write_run_page(tmp_path / "run", is_running=True)
    assert 'http-equiv="refresh" content="10"' in path.read_text()


def test_names_stay_in_their_place(tmp_path: Path) -> None:
    html = run_page(facts(tmp_path, some(), name=HOSTILE), "").html
    assert "<img" not in html
    assert html.count("</script>") == html.count("<script")


def test_another_file_is_not_written_over(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    assert not is_page(mine)
    with pytest.raises(InputError, match="no page of topformer report"):
        write_run_page(run_folder(tmp_path / "run", some()), mine)
    assert mine.read_text() == "mine"


def test_without_plotly_one_line_says_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.reports.pages.page.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs plotly, which is not installed: python -m pip install plotly"):
        write_run_page(run_folder(tmp_path / "run", some()))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page in Chromium, with a name that would act if it could; what the console said is in `said`."""
    pytest.importorskip("plotly")
    path = write_run_page(run_folder(tmp_path_factory.mktemp("page") / "run", some(), name=HOSTILE))
    with browser() as started:
        yield started.shown(path)


def test_the_best_design_is_open_and_nothing_complains(opened: Any) -> None:
    assert HOSTILE in opened.locator("h1").inner_text()
    assert opened.title() != "1"
    assert "complete, on the front" in opened.locator("#details").inner_text()
    assert opened.locator("#drawing svg").count() == 1
    assert "topformer export" in opened.locator("#more pre").first.inner_text()
    assert opened.said == []


def test_a_point_says_what_it_is_and_a_click_opens_it(opened: Any) -> None:
    before = opened.locator("#details h3").inner_text()
    points = opened.locator("#plot .scatterlayer .trace").first.locator(".points path")
    points.last.hover(force=True)
    hover = opened.locator("#plot .hoverlayer .hovertext")
    hover.wait_for()
    assert "rows to" in str(hover.text_content())
    assert "%" in str(hover.text_content())
    box = points.last.bounding_box()
    opened.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.wait_for_function("name => document.querySelector('#details h3').textContent !== name", arg=before)


def test_arrow_keys_go_along_the_front(opened: Any) -> None:
    opened.locator("#plot").focus()
    names = []
    for _ in range(2):
        opened.keyboard.press("ArrowRight")
        names.append(opened.locator("#details h3").inner_text())
    assert len(set(names)) == 2
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.activeElement.parentElement.id") == "details"


def test_filters_narrow_the_table_and_can_be_taken_back(opened: Any) -> None:
    def rows() -> int:
        return int(opened.locator("#table tbody tr").count())

    assert rows() == 14
    opened.locator("#filters select[data-axis=width]").select_option("=96")
    assert rows() == 3
    opened.locator("#filters").get_by_text("Show all").click()
    opened.wait_for_function("document.querySelectorAll('#table tbody tr').length === 14")
    opened.locator("#filters").get_by_text("pruned").click()
    assert rows() == 13
    opened.locator("#filters").get_by_text("Show all").click()
    opened.wait_for_function("document.querySelectorAll('#table tbody tr').length === 14")


def test_the_table_is_sorted_and_opened_by_keyboard(opened: Any) -> None:
    heading = opened.locator("#table thead th", has_text="latency").locator("button")
    heading.focus()
    opened.keyboard.press("Enter")
    assert opened.locator("#table th[aria-sort=ascending]").inner_text().startswith("latency")
    first = opened.locator("#table tbody tr").first
    assert "2 ms" in first.inner_text()
    first.locator("button").focus()
    opened.keyboard.press("Enter")
    assert opened.locator("#details h3").inner_text() == first.locator("th").inner_text()


def test_light_and_dark_and_a_narrow_screen_and_paper(opened: Any, tmp_path: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light = opened.evaluate(paper)
    opened.emulate_media(color_scheme="dark")
    assert opened.evaluate(paper) != light
    opened.set_viewport_size({"width": 400, "height": 800})
    opened.wait_for_function("document.documentElement.scrollWidth <= 400", timeout=20_000)
    opened.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert opened.said == []

"""Every kind of page in a browser: quiet, sortable, narrow, dark and on paper."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from analysis.reports.pages.ablation.ablation_page import ablation_page
from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.card import Card, table
from analysis.reports.pages.device.device_page import device_page
from analysis.reports.pages.device.facts import DeviceFacts
from analysis.reports.pages.ladder.facts import LadderFacts
from analysis.reports.pages.ladder.ladder_page import ladder_page
from analysis.reports.pages.page import Page, write_page
from search_space.latency.calibration.left_out import device_report
from tests.analysis_tests.ablation_examples import ablation
from tests.analysis_tests.reports.pages.browser import Browser, browser
from tests.analysis_tests.truth_tables import HALF, noise, numbered
from tests.analysis_tests.truth_tables import table as truth
from topformer.errors import InputError

NAME = '</script><img src=x onerror="document.title=1">'


@cache
def pages() -> dict[str, Page]:
    """A page of each kind that has no script of its own, named so that the name would act if it could."""
    made = truth(numbered(12), noise(1.0), others={HALF: noise(2.0)})
    return {
        "ablation": ablation_page(AblationFacts(name=NAME, tables=(ablation(title=NAME),))),
        "device": device_page(DeviceFacts(NAME, device_report("snapdragon-865-paddle-lite"))),
        "ladder": ladder_page(LadderFacts.of(made, NAME)),
    }


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.mark.parametrize("kind", ["ablation", "device", "ladder"])
def test_a_page_is_one_quiet_file(kind: str, tmp_path: Path, started: Browser) -> None:
    page = started.shown(write_page(pages()[kind], tmp_path / "report.html"))
    assert page.said == []
    assert page.title() != "1"
    assert page.locator("svg.figure").count() >= 1
    light = page.evaluate("getComputedStyle(document.querySelector('svg.figure text')).fill")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.querySelector('svg.figure text')).fill") != light
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_function("document.documentElement.scrollWidth <= 400")
    page.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    page.close()


def test_headings_sort_numbers_and_words(tmp_path: Path, started: Browser) -> None:
    rows = [["b", "9 ms", "x"], ["a", "1,000 ms [1, 2]", "z"], ["d", "", "y"], ["c", "-3.5 ms", "w"]]
    cards = [Card(id="t", title="t", html=table(["name", "ms", "what"], rows, "c"))]
    page = started.shown(write_page(Page(title="t", cards=cards), tmp_path / "report.html"))

    def first() -> str:
        return "".join(page.locator("#t tbody th").all_inner_texts())

    for heading, orders in (("ms", ["abcd", "cbad"]), ("what", ["cbda", "adbc"]), ("name", ["abcd", "dcba"])):
        for order in orders:
            page.locator("#t thead th", has_text=re.compile(f"^{heading}")).locator("button").focus()
            page.keyboard.press("Enter")
            assert first() == order
        assert page.locator("#t th[aria-sort]:not([aria-sort=none])").inner_text().startswith(heading)
    page.close()


def test_another_file_is_not_written_over(tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    with pytest.raises(InputError, match="no page of topformer report"):
        write_page(Page(title="t", cards=[]), mine)

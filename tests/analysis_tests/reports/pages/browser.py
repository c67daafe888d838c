"""Pages in headless Chromium, which writes down what they complain of and ask for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
PATIENCE = 120_000
"""Milliseconds: a busy machine takes its time."""


class Browser:
    """A browser that shows one page after another."""

    def __init__(self, started: Any) -> None:
        """Take a browser of playwright's."""
        self._browser = started

    def shown(self, path: Path, **options: Any) -> Any:
        """A page of playwright's with a file; `said` holds errors, and addresses beside the file that it asked for."""
        page = self._browser.new_page(
            **{"viewport": {"width": 1280, "height": 1000}, "color_scheme": "light", **options}
        )
        page.set_default_timeout(PATIENCE)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(_OWN) else said.append(request.url))
        page.goto(path.as_uri(), wait_until="load", timeout=PATIENCE)
        page.said = said
        return page


_OWN = ("file:", "data:", "blob:")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield Browser(found)
        found.close()

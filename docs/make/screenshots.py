"""The pictures of docs/reports.md: `python -m docs.make.screenshots [NAME ...]`; needs plotly, playwright and Chromium.

A page of each kind, photographed in headless Chromium. Ablations and truth table are made of the records that come with
the project; the search is `ade20k-published`, which trains nothing and gives the same records every time.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).parent.parent
FIGURES = DOCS / "figures"
_TOPFORMER = "from experiments.cli import entry; entry()"


class Shot(NamedTuple):
    """One picture.

    Attributes:
        make: Writes the page into a folder.
        scheme: `light` or `dark`.
        size: Of the window, in pixels.
        at: What stands at its top, as a selector; the top of the page if empty.
    """

    make: Callable[[Path], None]
    scheme: str
    size: tuple[int, int]
    at: str = ""


def _command(*words: str) -> Callable[[Path], None]:
    """A command of ours that writes `report.html` into a folder."""

    def run(folder: Path) -> None:
        # In a process of its own: a run is still taken for one that goes on while the process that made it lives.
        given = [word.format(folder=folder) for word in words]
        subprocess.run([sys.executable, "-c", _TOPFORMER, *given], check=True)  # noqa: S603  # our own command line

    return run


def _search(folder: Path) -> None:
    _command("sweep", "ade20k-published", "--out", "{folder}/run")(folder)
    _command("report", "{folder}/run", "--out", "{folder}/report.html")(folder)


SHOTS: Mapping[str, Shot] = MappingProxyType(
    {
        "report-search": Shot(_search, "light", (1280, 1040)),
        "report-ladder": Shot(
            _command("report", "nano-tokenworld", "--kind", "truth", "--out", "{folder}/report.html"),
            "dark",
            (1280, 1120),
        ),
        "report-ablations": Shot(
            _command("ablate", "all", "--from", str(DOCS / "ablations" / "records.jsonl"), "--out", "{folder}"),
            "light",
            (1280, 1000),
        ),
        "report-device": Shot(
            _command("report", "raspberry-pi-4", "--kind", "device", "--out", "{folder}/report.html"),
            "light",
            (1280, 960),
        ),
    }
)
"""Name of the file in `figures` to what it shows."""


def write(names: Sequence[str], figures: Path = FIGURES) -> None:
    """Take the pictures of that name into a folder."""
    chromium = which("chromium") or which("chromium-browser") or which("google-chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in names:
            with TemporaryDirectory() as folder:
                SHOTS[name].make(Path(folder))
                _take(browser, Path(folder) / "report.html", SHOTS[name], figures / f"{name}.png")
        browser.close()


def _take(browser: Browser, page: Path, shot: Shot, path: Path) -> None:
    width, height = shot.size
    shown = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if shot.scheme == "dark" else "light"
    )
    shown.set_default_timeout(120_000)
    shown.goto(page.as_uri(), wait_until="load", timeout=120_000)
    if shown.locator("#plot").count():
        shown.wait_for_function("performance.getEntriesByName('plot').length > 0")
    if shot.at:
        shown.locator(shot.at).first.evaluate("element => element.scrollIntoView()")
    Image.open(BytesIO(shown.screenshot())).convert("RGB").save(path, optimize=True)
    shown.close()


def main() -> None:
    """Takes the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(SHOTS), metavar="NAME", help=f"all of {', '.join(SHOTS)}")
    write(parser.parse_args().names)


if __name__ == "__main__":
    main()

"""What the page of many records costs: `topformer report`, and opening it in Chromium until it is drawn and sortable.

A run folder is written with as many records as asked for, one in so many of them complete, as in `records_scale`. Then
`topformer report` runs in a process of its own, and headless Chromium opens the page several times, each time anew: the
page itself marks when its table stands and its headings sort, and when the first plot is drawn.

    python -m benchmarks.report_page --records 10000 [--one-in 5] [--openings 5] [--json] [--keep FOLDER]
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from statistics import median
from typing import NamedTuple

import psutil
from playwright.sync_api import Browser, sync_playwright

from analysis.records.record import RECORDS
from benchmarks.records_scale import COMPLETE, run, write

_PATIENCE_MS = 120_000
_SORT = """() => {
  const heading = [...document.querySelectorAll("#table th button")][2];
  const began = performance.now();
  heading.click();
  return performance.now() - began;
}"""


class Opened(NamedTuple):
    """One opening: seconds from the navigation on, of the wall clock but for `cpu`."""

    table: float
    plot: float
    sort: float
    cpu: float


def main() -> None:
    """Write the folder, make the page, open it, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--one-in", type=int, default=COMPLETE, help="one in so many records is complete; 1: all are")
    parser.add_argument("--openings", type=int, default=5)
    parser.add_argument("--keep", type=Path, default=None, help="folder of the run, written where it is not there yet")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary) / "run"
        if not (folder / RECORDS).exists():
            write(folder, args.records, one_in=args.one_in)
        report = "from experiments.cli import entry; entry()"
        spent = run([sys.executable, "-c", report, "report", str(folder)])
        page = folder / "report.html"
        megabytes = page.stat().st_size / 1e6
        openings = list(opened(page, args.openings))
    load = os.getloadavg()[0]
    if args.json:
        told = [one._asdict() for one in openings]
        print(json.dumps({"report": spent._asdict(), "megabytes": megabytes, "openings": told, "load": load}))
        return
    print(f"report   {spent.cpu_seconds:6.1f} CPU s {spent.wall_seconds:6.1f} s {spent.megabytes:6.0f} MB")
    print(
        f"page     {megabytes:6.1f} MB; load {load:.1f} on {os.cpu_count()} cores; least and median of {len(openings)}:"
    )
    for name in Opened._fields:
        values = [getattr(one, name) for one in openings]
        print(f"{name:8} {min(values):6.2f} s {median(values):6.2f} s")


def opened(page: Path, count: int) -> Iterator[Opened]:
    """Open the page so often, each time in a browser of its own."""
    chromium = which("chromium") or which("chromium-browser") or which("google-chrome")
    with sync_playwright() as started:
        for _ in range(count):
            browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            yield _opened(browser, page)
            browser.close()


def _opened(browser: Browser, path: Path) -> Opened:
    before = _cpu()
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(path.resolve().as_uri(), wait_until="commit", timeout=_PATIENCE_MS)
    page.wait_for_function("performance.getEntriesByName('plot').length > 0", timeout=_PATIENCE_MS)
    cpu = _cpu() - before
    table, plot = (
        page.evaluate(f"performance.getEntriesByName('{name}')[0].startTime") / 1e3 for name in ("table", "plot")
    )
    return Opened(table=table, plot=plot, sort=page.evaluate(_SORT) / 1e3, cpu=cpu)


def _cpu() -> float:
    """Processor seconds of all processes of the browser so far."""
    times = [one.cpu_times() for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]
    return sum(one.user + one.system for one in times)


if __name__ == "__main__":
    main()

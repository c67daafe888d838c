"""Runs for the tests of pages."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.records.record import Metric, Record, State
from analysis.reports.pages.run.facts import Facts
from analysis.reports.run_report import read_begun
from tests.analysis_tests.examples import LATENCY, record, run_folder

HOSTILE = '</script><img src=x onerror="document.title=1"><b>'
"""A name that would act if it were taken for HTML."""


def trial(number: int, miou: float | None, latency_ms: float, width: int, head: str = "sum", **changes: Any) -> Record:
    """A record with labels, an interval of the latency, parts and a time."""
    one = record(number, miou, latency_ms, labels={"width": str(width), "head": head}, **changes)
    interval = Metric(value=latency_ms, source="predicted", low=latency_ms / 2, high=2 * latency_ms)
    parts = {"pyramid": latency_ms / 2, "head": latency_ms / 2}
    return replace(
        one,
        metrics={**one.metrics, LATENCY: interval, "macs": Metric(value=1e6 * width, source="exact")},
        details={**one.details, "latency_by_module": parts},
        seconds=60.0,
        finished=f"2026-11-28T10:{number:02d}:00+00:00",
    )


def some() -> list[Record]:
    """Twelve evaluated designs, of which wide ones are better and slower, one pruned and one failed."""
    evaluated = [
        trial(number, 40.0 + number + (number % 3), 2.0 + number / 4, 64 + 32 * (number % 4)) for number in range(12)
    ]
    pruned = trial(12, None, 9.5, 320, reason="latency 9.5 ms exceeds the limit of 6 ms with probability 0.99")
    failed = trial(13, None, 3.0, 64, HOSTILE, state=State.FAILED, reason=f"the loss is not finite {HOSTILE}")
    return [*evaluated, pruned, failed]


def facts(folder: Path, records: list[Record], *, is_running: bool = False, **changes: Any) -> Facts:
    """The facts of a run with these records."""
    return Facts.of(read_begun(run_folder(folder, records, **changes)), "nano", is_running=is_running)

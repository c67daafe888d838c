"""Write the page of a run, of ablations, a device or a truth table: one HTML file that needs no network.

A sweep: front, designs, rungs, what decides, how sure it is. Ablations: every table, and what it says of the paper's
claims. A device: predicted against measured. A truth table, or several runs together: what each rung is worth.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.cli.parsing import of, place
from experiments.cli.report_subject import RULES, Kind, Subject, subject
from topformer.bounds import POSITIVE
from topformer.errors import InputError

EXAMPLE = "topformer report runs/nano-tokenworld --watch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("of", nargs="+", metavar="WHAT", help=RULES)
    parser.add_argument(
        "--kind", choices=[kind.value for kind in Kind], default=None, help="what WHAT is, if it is several"
    )
    parser.add_argument(
        "--out",
        type=place,
        default=None,
        metavar="FILE.html",
        help="default: report.html in the run, else NAME.html here",
    )
    parser.add_argument("--watch", action="store_true", help="write it again while the run goes on; Ctrl-C stops that")
    parser.add_argument("--every", type=of(POSITIVE), default=10.0, metavar="SECONDS", help="with --watch: how often")


def run(args: argparse.Namespace) -> int:
    """Write the page, with --watch until nobody writes into the run any more."""
    from experiments.files import is_held

    kind = None if args.kind is None else Kind(args.kind)
    subjects = [subject(name, kind) for name in args.of]
    write, watched = _writer(subjects, args.out)
    if args.watch and watched is None:
        raise InputError(f"--watch is for a run, got the {subjects[0].kind} {subjects[0].name}")
    is_running = watched is not None and is_held(watched)
    print(write(is_running), flush=True)
    while args.watch and watched is not None and is_running:
        time.sleep(args.every)
        is_running = is_held(watched)
        write(is_running)
    return 0


Writer = Callable[[bool], Path]
"""Writes the page, told whether what it is of goes on, and gives its place."""


def _writer(subjects: Sequence[Subject], out: Path | None) -> tuple[Writer, Path | None]:
    """What writes the page, and the folder of the run that it is of."""
    first = subjects[0]
    if len(subjects) > 1 and any(one.kind is Kind.DEVICE for one in subjects):
        device = next(one for one in subjects if one.kind is Kind.DEVICE)
        raise InputError(
            f"a page is of one device or run, or of the runs of one truth table, got the device {device.name} too"
        )
    if len(subjects) > 1 or first.kind is Kind.TRUTH:
        is_run = len(subjects) == 1 and (first.place / "study.json").is_file()
        path = out or (first.place / "report.html" if is_run else Path(f"{first.place.name}.html"))
        return (lambda is_running: _truth(subjects, path, is_running=is_running)), first.place if is_run else None
    if first.kind is Kind.DEVICE:
        return (lambda _: _device(first, out)), None
    return (lambda is_running: _run(first, out, is_running=is_running)), first.place


def _run(found: Subject, out: Path | None, *, is_running: bool) -> Path:
    from experiments.ablations.report import is_ablation, write_report

    if is_ablation(found.place):
        return write_report(found.place, out, name=found.name, is_running=is_running)
    from analysis.reports.pages.run.run_page import write_run_page

    return write_run_page(found.place, out, name=found.name, is_running=is_running)


def _device(found: Subject, out: Path | None) -> Path:
    from analysis.reports.pages.device.device_page import device_page
    from analysis.reports.pages.device.facts import DeviceFacts
    from analysis.reports.pages.page import write_page
    from search_space.latency.calibration.left_out import device_report

    facts = DeviceFacts(found.name, device_report(found.place))
    return write_page(device_page(facts), out or Path(f"{facts.report.model.name}.html"))


def _truth(subjects: Sequence[Subject], path: Path, *, is_running: bool) -> Path:
    from analysis.reports.pages.ladder.facts import LadderFacts
    from analysis.reports.pages.ladder.ladder_page import ladder_page
    from analysis.reports.pages.page import write_page
    from analysis.results.truth_files import truth_table

    table, name = truth_table(*(one.place for one in subjects)), " ".join(one.name for one in subjects)
    return write_page(ladder_page(LadderFacts.of(table, name, is_running=is_running)), path)

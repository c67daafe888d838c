"""Write the page of a run: front, designs, what decides, how sure it is; one HTML file that needs no network."""

import argparse
import time

from experiments.cli.arguments import add_run, found_run
from experiments.cli.parsing import of, place
from topformer.bounds import POSITIVE

EXAMPLE = "topformer report runs/nano-tokenworld --watch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run(parser)
    parser.add_argument("--out", type=place, default=None, metavar="FILE.html", help="default: report.html in the run")
    parser.add_argument("--watch", action="store_true", help="write it again while the run goes on; Ctrl-C stops that")
    parser.add_argument("--every", type=of(POSITIVE), default=10.0, metavar="SECONDS", help="with --watch: how often")


def run(args: argparse.Namespace) -> int:
    """Write the page, with --watch until nobody writes into the run any more."""
    from analysis.reports.pages.run.run_page import write_run_page
    from experiments.files import is_held

    folder = found_run(args.run)
    is_running = is_held(folder)
    print(write_run_page(folder, args.out, name=str(args.run), is_running=is_running), flush=True)
    while args.watch and is_running:
        time.sleep(args.every)
        is_running = is_held(folder)
        write_run_page(folder, args.out, name=str(args.run), is_running=is_running)
    return 0

"""Train designs drawn in strata with several seeds each: the table that cheaper accuracies are held against."""

import argparse
from pathlib import Path

from experiments.cli.parsing import of, place
from experiments.cli.terminal import console
from topformer.bounds import COUNT, WORKERS

EXAMPLE = "topformer truth make nano-truth --seeds 2 --out runs/nano-truth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser(
        "make",
        help="train the designs of a study's space; the same command continues a stopped one",
        epilog=f"example: {EXAMPLE}",
    )
    make.add_argument("study", help="a TOML file, or the name of a study that comes with the project")
    make.add_argument("--out", type=place, default=None, help="run folder; runs/NAME by default")
    make.add_argument("--seeds", type=of(COUNT), default=2, help="trainings of every design")
    make.add_argument("--designs", type=of(COUNT), default=None, help="how many; the study's trials by default")
    make.add_argument("--workers", type=of(WORKERS), default=None, help="trainings that run beside each other")
    make.set_defaults(act=_make)


def run(args: argparse.Namespace) -> int:
    """Make a table."""
    status: int = args.act(args)
    return status


def _make(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from experiments.ladder.make import make_truth
    from experiments.search.shipped import study
    from experiments.trials.progress import TrialProgress

    definition = study(args.study)
    definition = replace(
        definition, trials=args.designs or definition.trials, workers=args.workers or definition.workers
    )
    with TrialProgress(console()) as progress:
        made = make_truth(
            definition,
            args.out or Path("runs") / definition.name,
            seeds=range(args.seeds),
            callback=progress,
        )
    head = "interrupted; the same command continues" if made.interrupted else "done"
    print(f"{head}: {made.text}\nrun folder   {made.folder}")
    return made.exit_status

"""Train designs drawn in strata, several seeds each: what cheaper accuracies are held against."""

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli.arguments import add_engine, engine
from experiments.cli.parsing import of, place
from experiments.cli.terminal import console
from topformer.bounds import COUNT, WORKERS
from topformer.errors import StudyError, unknown_name

if TYPE_CHECKING:
    from experiments.ladder.make import Truth
    from experiments.search.definition import StudyDefinition

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
    make.add_argument("--table", default=None, help="a truth table whose trainings are not made again")
    make.add_argument("--workers", type=of(WORKERS), default=None, help="trainings that run beside each other")
    add_engine(make)
    make.set_defaults(act=_make)
    score = actions.add_parser(
        "score",
        help="let the evaluator of another study score the same designs",
        epilog="example: topformer truth score zico.toml --table runs/nano-truth --out runs/zico",
    )
    score.add_argument("study", help="a TOML file, or the name of a study that comes with the project")
    score.add_argument("--table", required=True, help="a truth table, or the run folder of one")
    score.add_argument("--out", type=place, default=None, help="run folder; runs/NAME by default")
    score.add_argument("--workers", type=of(WORKERS), default=None, help="evaluations that run beside each other")
    add_engine(score)
    score.set_defaults(act=_score)
    freeze = actions.add_parser(
        "freeze",
        help="write the records of run folders as a table that others can use",
        epilog="example: topformer truth freeze runs/nano-truth runs/zico --out nano-tokenworld",
    )
    freeze.add_argument("runs", nargs="+", metavar="RUN", help="the truth's run folder or table, then others")
    freeze.add_argument("--out", type=place, required=True, help="folder of the table")
    freeze.add_argument(
        "--once",
        nargs="+",
        type=_once,
        default=[],
        metavar="RUNG=SECONDS",
        help="processor seconds that a rung takes once, whatever the number of designs, such as training a supernet",
    )
    freeze.set_defaults(act=_freeze)


def run(args: argparse.Namespace) -> int:
    """Make a table, add to it, or write it."""
    status: int = args.act(args)
    return status


def _make(args: argparse.Namespace) -> int:
    from analysis.results.truth_files import truth_table
    from experiments.ladder.make import make_truth
    from experiments.trials.progress import TrialProgress

    definition = _definition(args)
    definition = replace(definition, trials=args.designs or definition.trials)
    table = None if args.table is None else truth_table(args.table)
    with TrialProgress(console()) as progress:
        made = make_truth(
            definition,
            _place(args, definition),
            seeds=range(args.seeds),
            table=table,
            callback=progress,
            engine=engine(args),
        )
    return _report(made)


def _score(args: argparse.Namespace) -> int:
    from analysis.results.truth_files import truth_table
    from experiments.ladder.make import score_designs
    from experiments.trials.progress import TrialProgress

    definition, table = _definition(args), truth_table(args.table)
    with TrialProgress(console()) as progress:
        made = score_designs(definition, _place(args, definition), table=table, callback=progress, engine=engine(args))
    return _report(made)


def _freeze(args: argparse.Namespace) -> int:
    from analysis.reports.truth_folder import write_truth
    from analysis.results.truth_files import truth_table

    table = truth_table(*args.runs).judged()
    table = replace(table, fixed_seconds={**table.fixed_seconds, **dict(args.once)})
    rungs = [rung.name for rung in table.scores]
    for name in table.fixed_seconds:
        if name not in rungs:
            raise StudyError(unknown_name("rung of --once", name, rungs))
    for path in write_truth(table, args.out, table.protocol):
        print(path)
    return 0


def _once(text: str) -> tuple[str, float]:
    name, _, seconds = text.rpartition("=")
    if not name or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", seconds):
        raise argparse.ArgumentTypeError(f"must be RUNG=SECONDS, got {text!r}")
    return name, float(seconds)


def _definition(args: argparse.Namespace) -> "StudyDefinition":
    from experiments.search.shipped import study

    definition = study(args.study)
    workers = definition.workers if args.workers is None else replace(definition.workers, count=args.workers)
    return replace(definition, workers=workers)


def _place(args: argparse.Namespace, definition: "StudyDefinition") -> Path:
    return args.out or Path("runs") / definition.name


def _report(made: "Truth") -> int:
    head = "interrupted; the same command continues" if made.interrupted else "done"
    print(f"{head}: {made.text}\nrun folder   {made.folder}")
    return made.exit_status

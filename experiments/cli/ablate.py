"""Remake the paper's ablation tables, or your own: exact costs beside the printed figures, and paired trainings.

TABLE is `list`, `all`, an id such as `table-3`, or a TOML file. Costs are always those of the paper's design and
size; the accuracy is measured on --base with the same edits. The same command continues a stopped ablation.
"""

import argparse
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.records.named_design import named_design
from experiments.cli.arguments import add_engine, add_json, add_size, engine, size, sized
from experiments.cli.parsing import of, place
from experiments.cli.terminal import console, show_lines, show_table
from experiments.cli.workers import add_workers, workers
from experiments.evaluators import EVALUATORS
from experiments.evaluators.definition import TOKENWORLD
from experiments.implementations import canonical
from experiments.training.recipes import RECIPES
from topformer.bounds import COUNT, POSITIVE
from topformer.errors import InputError

if TYPE_CHECKING:
    from analysis.results.ablation import Ablation
    from experiments.ablations.ablate import Asked, Outlook
    from experiments.ablations.definition import TableDefinition
    from experiments.ablations.plan import Base
    from experiments.ablations.report import AblationFiles

EXAMPLE = "topformer ablate all --quick --out runs/ablations"

SEEDS, BUDGET = 5, 1200
"""Of a full ablation on the embedded data."""
SIZE = "128"
"""Of the images of the embedded data."""
QUICK_SEEDS = 3
"""Of `--quick`: the same trainings, so that a full ablation later reuses them."""
LEAN = "lean"
"""The evaluator where nothing names another."""
PAPER = "paper"
"""The base that is each table's own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="list, all, an id, or a TOML file")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SEEDS} seeds of every row")
    parser.add_argument(
        "--seeds", type=of(COUNT), default=None, metavar="N", help=f"seeds of every row (default {SEEDS})"
    )
    parser.add_argument(
        "--budget",
        type=of(COUNT),
        default=None,
        help=f"iterations of each training (default {BUDGET}, or the recipe's)",
    )
    parser.add_argument("--data", default=None, help="folder of a data set, or tokenworld, where one is needed")
    parser.add_argument("--evaluator", default=None, help=f"one of {', '.join(EVALUATORS)}; {LEAN} by default")
    parser.add_argument(
        "--recipe", choices=sorted(RECIPES), default=None, help="train by this recipe of the release; needs --data"
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="MODEL=FILE",
        help="with --recipe: weights that rows near this model of the release start from, sliced where they differ",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the evaluator, as in TOML"
    )
    parser.add_argument(
        "--base", default="nano", help=f"what the edits are applied to for the accuracy; {PAPER}: each table's own"
    )
    add_size(parser, None)
    add_workers(parser)
    add_engine(parser)
    parser.add_argument("--out", type=place, default=Path("runs/ablations"), help="run folder, shared by all tables")
    parser.add_argument("--dry-run", action="store_true", help="show what would run and what it could show")
    parser.add_argument(
        "--detect", type=of(POSITIVE), default=2.0, help="points of mIoU whose price in seeds is stated"
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=place,
        default=None,
        metavar="FILE",
        help="only read these records, of a file or a run",
    )
    parser.add_argument("--study", default=None, help="with --from: which evaluator's records")
    parser.add_argument("--space", default=None, help="make the table from this search space instead")
    parser.add_argument("--one-factor", action="store_true", help="with --space: every label around --base")
    parser.add_argument(
        "--leave-one-out", default=None, metavar="DESIGN", help="with --space: this design, each choice put back"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List, plan, run or remake the tables."""
    if args.tables == ["list"]:
        return _list(args)
    _check(args)
    base, tables = _tables(args)
    if args.source is not None:
        return _remake(args, base, tables)
    asked = _asked(args, base)
    if args.dry_run:
        return _dry_run(args, asked, tables)
    return _run(args, asked, tables)


def _check(args: argparse.Namespace) -> None:
    if bool(args.tables) == bool(args.space):
        raise InputError("name tables, such as table-3 or all, or a search space with --space, and not both")
    if args.space and args.one_factor == (args.leave_one_out is not None):
        raise InputError("--space needs either --one-factor or --leave-one-out DESIGN")
    if not args.space and (args.one_factor or args.leave_one_out):
        raise InputError("--one-factor and --leave-one-out need a search space: --space paper")


def _list(args: argparse.Namespace) -> int:
    from experiments.ablations.definition import table, table_names

    tables = [table(name) for name in table_names()]
    if args.json:
        listed = [{"id": one.id, "title": one.title, "rows": len(one.rows), "base": one.base} for one in tables]
        print(json.dumps(listed, indent=2))
        return 0
    for one in tables:
        kind = (
            f"{len(one.rows)} rows, baseline {one.baseline!r}" if one.baseline else f"{len(one.rows)} rows, costs only"
        )
        print(f"{one.id:<9} {one.title} ({kind})")
    return 0


def _tables(args: argparse.Namespace) -> "tuple[Base, list[TableDefinition]]":
    """What the accuracy is measured on, and the tables."""
    from experiments.ablations.definition import table, table_names
    from experiments.ablations.generate import leave_one_out, one_factor
    from experiments.ablations.plan import OWN, Base
    from search_space.spaces.space import space

    height, width = _size(args)
    if args.space:
        chosen = space(args.space, base=named_design(args.base), height=height, width=width)
        if args.one_factor:
            return Base(name=args.base, candidate=chosen.base), [one_factor(chosen, args.base)]
        design = sized(args.leave_one_out, (height, width)).canonical()
        made = leave_one_out(chosen, design, args.leave_one_out)
        return Base(name=args.leave_one_out, candidate=design), [made]
    names = [name for given in args.tables for name in (table_names() if given == "all" else [given])]
    tables = [table(name) for name in dict.fromkeys(names)]
    if len({one.id for one in tables}) < len(tables):
        raise InputError(f"tables must have different ids, got {', '.join(one.id for one in tables)}")
    if args.base == PAPER:
        return Base(name=OWN, candidate=None), tables
    return Base(name=args.base, candidate=sized(args.base, (height, width))), tables


def _size(args: argparse.Namespace) -> tuple[int, int]:
    """The input size for the accuracy: the one given, the recipe's crop, or that of the embedded data."""
    if args.size is None and args.recipe:
        return RECIPES[args.recipe].crop
    return size(args.size or SIZE)


def _asked(args: argparse.Namespace, base: "Base") -> "Asked":
    from experiments.ablations.ablate import Asked
    from experiments.evaluators.definition import EvaluatorDefinition

    kind = _kind(args)
    usual = RECIPES[args.recipe].iterations if args.recipe else BUDGET
    budget = args.budget or (usual if EVALUATORS[kind].trains else 0)
    seeds = args.seeds or (QUICK_SEEDS if args.quick else SEEDS)
    settings = _settings(args.set) | _recipe_settings(args, kind)
    evaluator = EvaluatorDefinition(kind=kind, data=_data(args), budget=budget, settings=settings)
    return Asked(
        base=base, evaluator=evaluator, seeds=tuple(range(seeds)), workers=workers(args, evaluator), detect=args.detect
    )


def _kind(args: argparse.Namespace) -> str:
    return canonical("evaluator", args.evaluator or ("recipe" if args.recipe else LEAN), EVALUATORS)


def _data(args: argparse.Namespace) -> str:
    """The data set that is given, or the embedded one; empty where the evaluator needs none."""
    return args.data or (TOKENWORLD if EVALUATORS[_kind(args)].needs_data else "")


def _recipe_settings(args: argparse.Namespace, kind: str) -> dict[str, Any]:
    """The recipe and the weights that its trainings start from."""
    if (kind == "recipe") != bool(args.recipe) or (args.checkpoint and not args.recipe):
        raise InputError("--recipe NAME, --evaluator recipe and --checkpoint MODEL=FILE go together")
    if not args.recipe:
        return {}
    if _data(args) == TOKENWORLD:
        raise InputError(f"--recipe {args.recipe} needs --data PATH: the embedded images are far smaller than its crop")
    files: dict[str, str] = {}
    for text in args.checkpoint:
        model, equals, path = text.partition("=")
        if not (equals and path) or model in files:
            raise InputError(f"--checkpoint must be MODEL=FILE with each model once, got {text!r}")
        files[model] = path
    return {"recipe": args.recipe, "checkpoints": files}


def _settings(given: Sequence[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for text in given:
        try:
            settings |= tomllib.loads(text)
        except (ValueError, RecursionError):  # no TOML, thousands of digits, brackets within brackets
            raise InputError(
                f"--set must be KEY=VALUE with a value as in TOML, such as batch=16, got {text!r}"
            ) from None
    return settings


def _dry_run(args: argparse.Namespace, asked: "Asked", tables: "list[TableDefinition]") -> int:
    from experiments.ablations.ablate import outlook

    found = outlook(tables, asked, args.out, metric=_metric(args))
    lines = _plan_lines(asked, found)
    if args.json:
        plan = {table.id: {"runs": table.runs, "fresh": table.fresh} for table in found.plan.tables}
        print(
            json.dumps(
                {"runs": len(found.plan.jobs), "reused": found.plan.reused, "seconds": found.seconds, "tables": plan}
            )
        )
        return 0
    print("\n".join(lines))
    return 0


def _metric(args: argparse.Namespace) -> str:
    """The name of the accuracy where no record says it yet: that of the embedded data."""
    return f"miou@{TOKENWORLD}-{_size(args)[0]}" if _data(args) == TOKENWORLD and EVALUATORS[_kind(args)].trains else ""


def _plan_lines(asked: "Asked", found: "Outlook") -> list[str]:
    from analysis.results.power import noise_sentence
    from experiments.ablations.plan import power
    from experiments.trials.progress import duration

    lines = []
    for table in found.plan.tables:
        if not table.runs:
            lines.append(f"{table.id:<9} costs and published numbers only")
            continue
        rows = table.runs // len(asked.seeds)
        reused = [f"{count} recorded by {name}" for name, count in table.paid.items()]
        reused += [f"{count} shared with {name}" for name, count in table.shared.items()]
        lines.append(f"{table.id:<9} {table.runs} runs, {table.fresh} to run" + "".join(f", {text}" for text in reused))
        said = power(rows, len(asked.seeds), found.noise, asked.detect)
        lines += [f"          {said}"] if said else []
    time = (
        "time unknown before a first run is recorded" if found.seconds is None else f"about {duration(found.seconds)}"
    )
    budget = asked.evaluator.budget
    kind = f"trainings of {budget:,} iterations" if budget else "evaluations without training"
    trainings = f"{len(found.plan.jobs)} {kind} on {asked.base.name}"
    count = asked.workers.count
    beside = f"{count} worker" + ("s" if count > 1 else "")
    return [
        *lines,
        noise_sentence(found.noise),
        f"in all: {trainings}, {found.plan.reused} reused; {time} with {beside}",
    ]


def _run(args: argparse.Namespace, asked: "Asked", tables: "list[TableDefinition]") -> int:
    from experiments.ablations.ablate import outlook, run_ablations
    from experiments.trials.progress import TrialProgress

    # With --json the standard output holds nothing but JSON.
    told = console(stderr=args.json)
    show_lines(told, _plan_lines(asked, outlook(tables, asked, args.out, metric=_metric(args))))
    with TrialProgress(told) as progress:
        summary = run_ablations(tables, asked, args.out, callback=progress, engine=engine(args))
    _show(args, summary.tables, summary.files)
    if summary.interrupted:
        show_lines(told, ["interrupted; the same command continues"])
    return summary.exit_status


def _remake(args: argparse.Namespace, base: "Base", tables: "list[TableDefinition]") -> int:
    from analysis.records.record import RECORDS, JsonlStore
    from experiments.ablations.report import remake
    from topformer.files import check_regular

    if not args.source.exists():
        raise InputError(f"records file {args.source}: no such file")
    source = args.source / RECORDS if args.source.is_dir() else args.source
    check_regular(source, what="records")
    records = list(JsonlStore(source))
    made, files = remake(tables, records, base, args.out, study=args.study, budget=args.budget, detect=args.detect)
    _show(args, made, files)
    return 0


def _show(args: argparse.Namespace, tables: "Sequence[Ablation]", files: "AblationFiles") -> None:
    """The tables as text or JSON, and where the files are."""
    from analysis.reports.ablation_table import heading, remarks, text_tables, verdicts

    if args.json:
        print(json.dumps([table.to_json() for table in tables], indent=2, allow_nan=False))
        return
    told = console()
    for table in tables:
        show_lines(told, ["", heading(table)], style="bold")
        for part in text_tables(table):
            show_table(told, part)
        show_lines(told, remarks(table), style="dim")
        if found := verdicts(table):
            show_lines(told, [f"against the paper: {found}"])
    print(f"\npage   {files.page}\ntables {files.tables}")

"""Search a space for the Pareto front of accuracy and cost; the same command continues a stopped sweep.

STUDY is a TOML file or the name of a study that comes with the project. The options override its
entries; `--out` names the run folder.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from experiments.cli.arguments import add_engine, add_size, engine, size
from experiments.cli.parsing import of, place, sentence
from experiments.cli.terminal import console
from experiments.evaluators import EVALUATORS
from experiments.evaluators.definition import TOKENWORLD
from experiments.search.definition import StudyDefinition, from_mapping
from topformer.errors import StudyError
from topformer.schema import Section, declared

if TYPE_CHECKING:
    from experiments.search.definition import RungDefinition
    from experiments.search.sweep import SweepSummary

EXAMPLE = "topformer sweep nano-tokenworld --out runs/nano-tokenworld --workers 2"

OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "--space": ("space", "name"),
        "--base": ("space", "base"),
        "--max-latency-ms": ("limits", "latency_ms"),
        "--max-macs": ("limits", "macs"),
        "--max-parameters": ("limits", "parameters"),
        "--evaluator": ("evaluator", "kind"),
        "--data": ("evaluator", "data"),
        "--budget": ("evaluator", "budget"),
        "--device": ("device",),
        "--boundary": ("boundary",),
        "--sampler": ("sampler",),
        "--trials": ("trials",),
        "--consider": ("consider",),
        "--seed": ("seed",),
        "--workers": ("workers", "count"),
        "--cpus": ("workers", "cpus"),
        "--gpus": ("workers", "gpus"),
        "--storage": ("storage",),
        "--lease": ("lease",),
    }
)
"""Option to the entry of the study file that it overrides, which says what is accepted and what it means."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("study", help="a TOML file, or the name of a study that comes with the project")
    parser.add_argument("--out", type=place, default=None, help="run folder; runs/NAME by default")
    add_size(parser, None)
    parser.add_argument("--dry-run", action="store_true", help="check the study and cost the space; train nothing")
    parser.add_argument(
        "--retry-failed", action="store_true", help="on a continuation, try designs again that failed of themselves"
    )
    for option, entry in OPTIONS.items():
        kind, meaning = declared(StudyDefinition, entry)
        parser.add_argument(option, type=of(kind), default=None, help=sentence(meaning, kind))
    add_engine(parser)


def run(args: argparse.Namespace) -> int:
    """Run or continue the sweep, showing how it goes."""
    definition = read(args)
    folder = args.out or Path("runs") / definition.name
    if args.dry_run:
        return _dry_run(definition)
    from experiments.search.sweep import run_sweep
    from experiments.trials.progress import TrialProgress

    with TrialProgress(console()) as progress:
        summary = run_sweep(definition, folder, callback=progress, retry_failed=args.retry_failed, engine=engine(args))
    print("\n".join(_lines(summary)))
    return summary.exit_status


def read(args: argparse.Namespace) -> StudyDefinition:
    """The study of the file or name, with the options laid over it.

    Raises:
        StudyError: The study cannot be used; the message names the key.
    """
    from experiments.search.shipped import study_tables

    values = study_tables(args.study)
    for option, entry in OPTIONS.items():
        given = getattr(args, option.lstrip("-").replace("-", "_"))
        if given is not None:
            _set(values, entry, given)
    if isinstance(values.get("evaluator"), dict):
        _drop(values["evaluator"], args)
    if args.size is not None:
        height, width = size(args.size)
        _set(values, ("space", "height"), height)
        _set(values, ("space", "width"), width)
    try:
        return from_mapping(values)
    except StudyError as error:
        raise StudyError(f"{args.study}: {error}") from None


def _drop(evaluator: dict[str, Any], args: argparse.Namespace) -> None:
    """Take out of the file's table what an option has made pointless: it says how something not asked for is made."""
    entry = EVALUATORS.get(args.evaluator)
    if args.evaluator not in (None, evaluator.get("kind")):
        evaluator.pop("settings", None)
    if args.data is None and entry is not None and not entry.needs_data:
        evaluator.pop("data", None)
        evaluator.pop("tokenworld", None)
    if args.budget is None and entry is not None and not entry.trains:
        evaluator.pop("budget", None)
    if args.data not in (None, TOKENWORLD):
        evaluator.pop("tokenworld", None)


def _set(values: dict[str, Any], path: tuple[str, ...], given: object) -> None:
    *tables, key = path
    for name in tables:
        kind, _ = declared(StudyDefinition, (name,))
        assert isinstance(kind, Section)
        values[name] = kind.table(values.get(name, {}))
        values = values[name]
        if not isinstance(values, dict):
            # The reader says what is wrong with the file.
            return
    values[key] = given


def _dry_run(definition: StudyDefinition) -> int:
    from experiments.evaluators.definition import checked_evaluator
    from experiments.search.halving.ladder import Ladder
    from experiments.search.study import Study

    chosen = definition.space
    with TemporaryDirectory() as folder:
        makers = [
            checked_evaluator(
                one.evaluator, height=chosen.height, width=chosen.width, data=Path("data"), spare=Path(folder) / "data"
            )
            for one in definition.rung or (definition,)
        ]
        study = Ladder.of(definition, makers).top if definition.rung else Study.of(definition, makers[-1])
        print(f"space {study.space.name} around {chosen.base}: {study.space.count():,} distinct designs")
        screened = study.screen.screened(study.space, Path(folder), print)
    study.check_feasible(screened)
    whole = screened.designs == study.space.count()
    trials = min(definition.trials, screened.within) if whole else definition.trials
    if definition.rung:
        rungs = zip(definition.rung, definition.wanted, strict=True)
        print(f"would climb: {'; '.join(_rung(rung, wanted) for rung, wanted in rungs)}")
        return 0
    budget = definition.evaluator.budget
    print(f"would train {trials} of them for {budget:,} iterations each" if budget else f"would evaluate {trials:,}")
    return 0


def _rung(rung: "RungDefinition", wanted: int) -> str:
    budget = f" for {rung.evaluator.budget:,} iterations" if rung.evaluator.budget else ""
    seeds = f", {rung.seeds} seeds" if rung.seeds > 1 else ""
    return f"{wanted:,} by {rung.evaluator.kind}{budget}{seeds}"


def _lines(summary: "SweepSummary") -> list[str]:
    head = "interrupted; the same command continues" if summary.interrupted else "done"
    lines = [
        f"{head}: {summary.status}",
        f"{summary.screened.designs:,} designs screened by cost, {summary.screened.within:,} within the limits",
    ]
    if summary.wrong is not None and summary.wrong.pruned:
        lines.append(str(summary.wrong))
    if summary.exhausted:
        lines.append(
            "nothing was left to ask for: the space, or the number of designs that may be asked for, is used up"
        )
    if summary.files is not None:
        lines += [
            f"Pareto plot  {summary.files.png}",
            f"Pareto table {summary.files.markdown}",
            f"all points   {summary.files.csv}",
        ]
    return [*lines, f"run folder   {summary.folder}"]

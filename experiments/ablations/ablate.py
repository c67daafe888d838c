"""An ablation: tables, each row with its exact cost and the scores of several seeds; it may be killed and continued."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.records.record import RECORDS, Record
from analysis.records.soundness import sound_records
from analysis.results.ablation import Ablation
from analysis.results.power import Noise
from experiments.ablations.definition import TableDefinition
from experiments.ablations.plan import (
    DETECT,
    FOLDER,
    Base,
    Identity,
    Plan,
    noise,
    paid_runs,
    plan,
    seconds_per_iteration,
)
from experiments.ablations.results import results
from experiments.ablations.source import JobSource
from experiments.engines.engine import INTERRUPTED, EngineMaker, Interruption
from experiments.engines.local import LocalEngine
from experiments.engines.workers import Workers
from experiments.evaluators.base import EvaluatorMaker
from experiments.evaluators.definition import TOKENWORLD, EvaluatorDefinition, study_evaluator
from experiments.trials.callback import NullCallback, TrialCallback
from experiments.trials.loop import Loop
from experiments.trials.run_folder import LOGS, RunFolder
from topformer.errors import StudyError

if TYPE_CHECKING:
    from experiments.ablations.report import AblationFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is run for every row.

    Attributes:
        base: What the rows' edits are applied to.
        evaluator: Where the accuracy comes from, on which data, with how many iterations.
        seeds: Of every row.
        workers: What runs beside each other.
        detect: A difference of interest for the power statement, in percentage points.
    """

    base: Base
    evaluator: EvaluatorDefinition
    seeds: tuple[int, ...]
    workers: Workers = field(default_factory=Workers)
    detect: float = DETECT

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise StudyError(f"seeds must be different numbers, at least one, got {self.seeds}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What an ablation would do.

    Attributes:
        plan: The runs.
        seconds: Estimated wall-clock time, or None where no run was recorded yet.
        noise: Between seeds, as far as it is known.
    """

    plan: Plan
    seconds: float | None
    noise: Noise | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationSummary:
    """What an ablation came to.

    Attributes:
        tables: With everything that is recorded so far.
        plan: What it set out to run.
        interrupted: Whether the user stopped it; the same command continues.
        files: Tables, figures and page.
    """

    tables: tuple[Ablation, ...]
    plan: Plan
    interrupted: bool
    files: "AblationFiles"

    @property
    def exit_status(self) -> int:
        """Status for the command line."""
        return INTERRUPTED if self.interrupted else 0


def run_ablations(
    tables: Sequence[TableDefinition],
    asked: Asked,
    folder: Path,
    *,
    evaluator: EvaluatorMaker | None = None,
    callback: TrialCallback | None = None,
    data: Path = Path("data"),
    engine: EngineMaker = LocalEngine,
) -> AblationSummary:
    """Run what the tables need and is not recorded yet, then write all tables, figures and the page.

    Args:
        tables: In order.
        asked: What is run for every row.
        folder: The run folder that all ablations share; made if it is not there.
        evaluator: Makes the evaluator, here and in every worker; must be picklable. By default the one asked for.
        callback: Who is told how it goes.
        data: Where the embedded data set is kept, if it is asked for.
        engine: Where the trainings run; one of `experiments.engines.ENGINES`, by default this machine.

    Returns:
        The summary, also after Ctrl-C.

    Raises:
        StudyError: A row cannot be made from the base, or another process works in the folder.
        StorageError: The disk does not take or give what it should.
        EvaluationError: Every run fails.
        InputError: The workers do not fit the machine, or no cluster can be used.
    """
    callback = callback or NullCallback()
    make = evaluator or _evaluator(asked, data, callback)
    identity, budget = Identity.of(make()), asked.evaluator.budget
    with RunFolder(folder, FOLDER) as run:
        earlier = sound_records(run.records.path)
        paid = paid_runs(earlier, identity, budget)
        wanted = plan(tables, asked.base, asked.seeds, classes=identity.classes, paid=paid)
        source = JobSource(
            wanted.jobs, base=asked.base, budget=budget, identity=identity, evaluator=make, recorded=len(earlier)
        )
        where = engine(asked.workers, logs=run.path / LOGS, uses_gpu=asked.evaluator.uses_gpu, note=callback.note)
        with Interruption() as interruption, where as workers:
            Loop(source, run, callback).run(workers, interruption)
        ablations = results(
            tables, asked.base, run.records, identity=identity, budget=budget, seeds=asked.seeds, detect=asked.detect
        )
        # Records of others in the folder are in its own page, see `topformer report`.
        records = [record for record in run.records if identity.has_made(record, budget)]
    return AblationSummary(
        tables=ablations,
        plan=wanted,
        interrupted=interruption.requested,
        files=_write(Path(folder), ablations, records),
    )


def outlook(
    tables: Sequence[TableDefinition],
    asked: Asked,
    folder: Path,
    *,
    evaluator: EvaluatorMaker | None = None,
    metric: str = "",
    data: Path = Path("data"),
) -> Outlook:
    """What `run_ablations` would do; nothing is run or written, but an evaluator is made where records exist.

    Args:
        tables: As for `run_ablations`.
        asked: As for `run_ablations`.
        folder: As for `run_ablations`.
        evaluator: As for `run_ablations`.
        metric: Name of the accuracy where no record says it.
        data: As for `run_ablations`.
    """
    records = sound_records(Path(folder) / RECORDS)
    if not records:
        return Outlook(plan=plan(tables, asked.base, asked.seeds), seconds=None, noise=noise(metric, ()))
    identity = Identity.of((evaluator or _evaluator(asked, data, NullCallback()))())
    paid = paid_runs(records, identity, asked.evaluator.budget)
    wanted = plan(tables, asked.base, asked.seeds, classes=identity.classes, paid=paid)
    pace = seconds_per_iteration(records, identity, asked.evaluator.budget)
    runs = -(-len(wanted.jobs) // asked.workers.count)
    seconds = None if pace is None else pace * runs * asked.evaluator.budget
    return Outlook(plan=wanted, seconds=seconds, noise=noise(identity.metric, paid.values()))


def _evaluator(asked: Asked, data: Path, callback: TrialCallback) -> EvaluatorMaker:
    """What makes the evaluator that is asked for; the embedded data set is written where it is not there yet."""
    candidate = asked.base.candidate
    if candidate is None and asked.evaluator.data == TOKENWORLD:
        raise StudyError(
            f"base {asked.base.name!r} trains each table's own designs and sizes: it needs data of its own"
        )
    height, width = (candidate.height, candidate.width) if candidate is not None else (0, 0)
    return study_evaluator(asked.evaluator, height=height, width=width, data=data, note=callback.note)


def _write(folder: Path, tables: Sequence[Ablation], records: Sequence[Record]) -> "AblationFiles":
    # Only here: pandas and matplotlib take longer to import than a plan to be made.
    from analysis.reports.pages.ablation.facts import AblationFacts
    from experiments.ablations.report import write_ablation

    return write_ablation(AblationFacts(name=str(folder), tables=tuple(tables), records=tuple(records)), folder)

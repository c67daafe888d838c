"""A sweep: a study run in a folder, from the first proposal to the Pareto plot; it may be killed and continued."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.records.record import Reading
from analysis.records.screened import Screened
from analysis.records.study import read_study
from analysis.results.pruning import WrongPrunes, wrong_prunes
from experiments.engines.engine import INTERRUPTED, EngineMaker, Interruption
from experiments.engines.local import LocalEngine
from experiments.evaluators.base import EvaluatorMaker
from experiments.evaluators.definition import study_evaluator
from experiments.search.definition import StudyDefinition
from experiments.search.halving.ladder import Ladder
from experiments.search.status import Results, Status
from experiments.search.study import Study
from experiments.trials.callback import NullCallback, TrialCallback
from experiments.trials.ledger import Ledger
from experiments.trials.loop import Loop
from experiments.trials.run_folder import LOGS, RunFolder
from topformer.errors import RecordError

if TYPE_CHECKING:
    from analysis.reports.run_report import ParetoFiles
    from experiments.search.halving.source import LadderSource
    from experiments.search.source import SamplerSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSummary:
    """What a sweep came to.

    Attributes:
        status: Counts, best design, front and hypervolume over all records of the folder.
        fresh: Records that this run added.
        screened: What the screening before the first trial found.
        interrupted: Whether the user stopped it; the same command continues.
        exhausted: Whether nothing was left to ask for.
        folder: The run folder.
        files: Pareto table and plots, where there is something to draw.
        wrong: How many designs the doubt of the latency model is expected to have lost; None without a limit.
    """

    status: Status
    fresh: int
    screened: Screened
    interrupted: bool
    exhausted: bool
    folder: Path
    files: "ParetoFiles | None"
    wrong: WrongPrunes | None

    @property
    def exit_status(self) -> int:
        """Status for the command line."""
        return INTERRUPTED if self.interrupted else 0


def run_sweep(
    definition: StudyDefinition,
    folder: Path,
    *,
    evaluator: EvaluatorMaker | None = None,
    rungs: Sequence[EvaluatorMaker] | None = None,
    callback: TrialCallback | None = None,
    data: Path = Path("data"),
    retry_failed: bool = False,
    engine: EngineMaker = LocalEngine,
) -> SweepSummary:
    """Run a study in a folder, or continue it there.

    Args:
        definition: The study; on a continuation `trials`, `asked`, `consider`, `workers` and `storage` may differ.
        folder: The run folder; made if it is not there.
        evaluator: Makes the evaluator, here and in every worker; must be picklable. By default that of the study.
        rungs: The same for each rung of a study that has rungs.
        callback: Who is told how it goes.
        data: Where the embedded data set is kept, if the study uses it.
        retry_failed: Whether designs that failed of themselves are tried again, as those are that the machine failed.
        engine: Where the evaluations run; one of `experiments.engines.ENGINES`, by default this machine.

    Returns:
        The summary, also after Ctrl-C.

    Raises:
        StudyError: The study names something that does not exist, or the folder belongs to another study.
        RecordError: The folder's records cannot be those of the study.
        StorageError: The disk or the database does not take or give what it should.
        EvaluationError: Every evaluation fails.
        InputError: The workers do not fit the machine, or no cluster can be used.
    """
    callback = callback or NullCallback()
    ladder = _ladder(definition, rungs, data, callback)
    study = ladder.top if ladder else Study.of(definition, evaluator or _evaluator(definition, data, callback))
    with RunFolder(folder, study.description) as run:
        if run.records.path.exists():
            callback.note(f"reading {run.records.path}")
        screened = study.screen.screened(study.space, run.path, callback.note)
        study.check_feasible(screened)
        results = Results(study.objectives, screened.worst, definition.evaluations)
        read = partial(read_study, run.records, study=study.identity, fidelity=study.fidelity)
        uses_gpu = definition.evaluator.uses_gpu
        where = engine(definition.workers, logs=run.path / LOGS, uses_gpu=uses_gpu, note=callback.note)
        opened = _opened(ladder or study, run, results, read, callback.note, retry_failed=retry_failed)
        with opened as (source, ledger), Interruption() as interruption, where as workers:
            before = len(results)
            Loop(source, ledger, callback).run(workers, interruption)
        status = results.status
        return SweepSummary(
            status=status,
            fresh=len(results) - before,
            screened=screened,
            interrupted=interruption.requested,
            exhausted=source.exhausted,
            folder=run.path,
            files=_draw(run.path) if status.complete and len(study.objectives) > 1 else None,
            wrong=wrong_prunes(read().records, study.description["limits"]),
        )


@contextmanager
def _opened(
    found: Ladder | Study,
    run: RunFolder,
    results: Results,
    read: Callable[[], Reading],
    note: Callable[[str], None],
    *,
    retry_failed: bool,
) -> Iterator[tuple["LadderSource | SamplerSource", Ledger]]:
    """Where trials come from and where records go: this folder alone, or a database that drivers share."""
    # Here, because Optuna takes half a second to load and many callers only read a definition.
    from experiments.search.claims.database import is_shared
    from experiments.search.claims.driver import joined
    from experiments.search.halving.source import LadderSource
    from experiments.search.shared_source import SharedSource
    from experiments.search.source import SamplerSource

    if isinstance(found, Ladder):
        if is_shared(found.top.definition.storage):
            note("a study with rungs has one driver: its storage holds the copy for dashboards only")
        yield LadderSource(found, run, results, earlier=read().records, note=note, retry_failed=retry_failed), run
        return
    url, lease = found.definition.storage, found.definition.lease
    if not is_shared(url):
        yield SamplerSource(found, run, results, earlier=read().records, note=note, retry_failed=retry_failed), run
        return
    with joined(url, run, study=found.identity, fidelity=found.fidelity, lease=lease, note=note) as (driver, claims):
        source = SharedSource(
            found,
            run,
            results,
            driver=driver,
            claims=claims,
            earlier=read().records,
            note=note,
            retry_failed=retry_failed,
        )
        with closing(source):
            yield source, driver


def _ladder(
    definition: StudyDefinition, rungs: Sequence[EvaluatorMaker] | None, data: Path, callback: TrialCallback
) -> Ladder | None:
    """The rungs of a study, where it has any."""
    if not definition.rung:
        return None
    makers = rungs or [
        _evaluator(replace(definition, evaluator=one.evaluator, rung=(), rounds=1), data, callback)
        for one in definition.rung
    ]
    return Ladder.of(definition, makers)


def _evaluator(definition: StudyDefinition, data: Path, callback: TrialCallback) -> EvaluatorMaker:
    height, width = definition.space.height, definition.space.width
    return study_evaluator(definition.evaluator, height=height, width=width, data=data, note=callback.note)


def _draw(folder: Path) -> "ParetoFiles | None":
    from analysis.reports.run_report import write_pareto

    try:
        return write_pareto(folder)
    except RecordError:
        return None

"""The truth: designs drawn in strata, each trained from nothing with several seeds; it may be killed and continued."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.records.record import Key
from analysis.records.study import read_study
from analysis.results.truth_table import TableDesign, TruthTable
from experiments.engines.engine import INTERRUPTED, EngineMaker, Interruption
from experiments.engines.local import LocalEngine
from experiments.evaluators.base import EvaluatorMaker
from experiments.evaluators.definition import study_evaluator
from experiments.files import difference
from experiments.ladder.source import TruthSource
from experiments.search.definition import StudyDefinition
from experiments.search.study import Study
from experiments.trials.callback import NullCallback, TrialCallback
from experiments.trials.loop import Loop
from experiments.trials.run_folder import LOGS, RunFolder
from search_space.candidate import Candidate
from search_space.spaces.strata import stratified
from topformer.errors import StudyError

STRATA = ("pooled", "depth", "pool_stride")
"""Axes of `paper` along which early scores are known to mislead: docs/ladder.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the making of a table came to.

    Attributes:
        text: How many trainings are recorded.
        interrupted: Whether the user stopped it; the same command continues.
        folder: The run folder.
    """

    text: str
    interrupted: bool
    folder: Path

    @property
    def exit_status(self) -> int:
        """Status for the command line."""
        return INTERRUPTED if self.interrupted else 0


def make_truth(
    definition: StudyDefinition,
    folder: Path,
    *,
    seeds: Sequence[int],
    strata: Sequence[str] = STRATA,
    table: TruthTable | None = None,
    evaluator: EvaluatorMaker | None = None,
    callback: TrialCallback | None = None,
    data: Path = Path("data"),
    engine: EngineMaker = LocalEngine,
) -> Truth:
    """Train the designs of a table, or go on with it.

    Args:
        definition: A study: its space, evaluator and device, `trials` designs drawn with `seed`.
        folder: The run folder; made if it is not there.
        seeds: Of every design: the first of all designs comes before the second of any.
        strata: Axes whose labels take turns, see `search_space.spaces.strata`.
        table: What it has of these designs and seeds is not trained again.
        evaluator: Makes the evaluator, here and in every worker; must be picklable. By default that of the study.
        callback: Who is told how it goes.
        data: Where the embedded data set is kept, if the study uses it.
        engine: Where the evaluations run; one of `experiments.engines.ENGINES`, by default this machine.

    Raises:
        SpaceError: The space has no such axis, or not so many designs.
        StudyError: The study names what does not exist, the folder belongs to another one, or the table's trainings are
            not those of the study.
        RecordError: The folder's records cannot be those of the study.
        StorageError: The disk does not take or give what it should.
        EvaluationError: Every training fails.
        InputError: The workers do not fit the machine, or no cluster can be used.
    """
    callback = callback or NullCallback()
    study = _study(definition, evaluator, callback, data)
    known = frozenset() if table is None else _trained_in(table, study)
    designs = stratified(study.space, strata, definition.trials, definition.seed)
    # More designs and seeds continue a table; other strata begin another one.
    description = {**study.description, "strata": list(strata)}
    return _train(study, designs, seeds, RunFolder(folder, description), callback, engine, known)


def score_designs(
    definition: StudyDefinition,
    folder: Path,
    *,
    table: TruthTable,
    evaluator: EvaluatorMaker | None = None,
    callback: TrialCallback | None = None,
    data: Path = Path("data"),
    engine: EngineMaker = LocalEngine,
) -> Truth:
    """Let the evaluator of a study score the designs of a table, with the study's seed, or go on with it.

    Args:
        definition: A study around the same base.
        folder: The run folder; made if it is not there.
        table: Whose designs.
        evaluator: As in `make_truth`.
        callback: Who is told how it goes.
        data: Where the embedded data set is kept, if the study uses it.
        engine: Where the evaluations run; one of `experiments.engines.ENGINES`, by default this machine.

    Raises:
        SpaceError: The study's space does not hold a design of the table.
        StudyError: It makes another design of the same labels; and as `make_truth`, like the other errors.
    """
    callback = callback or NullCallback()
    study = _study(definition, evaluator, callback, data)
    designs = [_of_table(study, one) for one in table.designs.values()]
    return _train(study, designs, (definition.seed,), RunFolder(folder, study.description), callback, engine)


def _study(definition: StudyDefinition, evaluator: EvaluatorMaker | None, callback: TrialCallback, data: Path) -> Study:
    chosen = definition.space
    make = evaluator or study_evaluator(
        definition.evaluator, height=chosen.height, width=chosen.width, data=data, note=callback.note
    )
    return Study.of(definition, make)


def _trained_in(table: TruthTable, study: Study) -> frozenset[Key]:
    """The trainings of a table, which are those of the study: of its evaluator, data and budget."""
    truth, fidelity = table.truth, study.fidelity
    there = {"budget": truth.iterations, "evaluator": table.protocol.get("evaluator")}
    if differs := difference(there, {name: study.description[name] for name in there}):
        raise StudyError(f"the trainings of the table are others than those of the study: {differs}")
    return frozenset(Key(score.fingerprint, fidelity, score.seed) for score in table.scores[truth])


def _of_table(study: Study, design: TableDesign) -> Candidate:
    candidate = study.space.candidate(design.labels)
    if candidate.fingerprint != design.fingerprint:
        raise StudyError(
            f"the labels of the table's {design.fingerprint} are {candidate.fingerprint} in space {study.space.name}: "
            "base, size or classes differ"
        )
    return candidate


def _train(
    study: Study,
    designs: Sequence[Candidate],
    seeds: Sequence[int],
    folder: RunFolder,
    callback: TrialCallback,
    engine: EngineMaker,
    known: frozenset[Key] = frozenset(),
) -> Truth:
    with folder as run:
        earlier = read_study(run.records, study=study.identity, fidelity=study.fidelity).records
        source = TruthSource(study, designs, seeds, earlier=earlier, known=known)
        definition = study.definition
        where = engine(
            definition.workers, logs=run.path / LOGS, uses_gpu=definition.evaluator.uses_gpu, note=callback.note
        )
        with Interruption() as interruption, where as workers:
            Loop(source, run, callback).run(workers, interruption)
        return Truth(text=source.standing.text, interrupted=interruption.requested, folder=run.path)

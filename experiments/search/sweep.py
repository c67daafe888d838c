"""A sweep: a study run in a folder, from the first proposal to the Pareto plot; it may be killed and continued."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.records.record import Record
from analysis.results.pareto import Objective
from analysis.results.pruning import WrongPrunes, wrong_prunes
from experiments.engines.local import Engine, Interruption
from experiments.evaluators.base import Evaluator
from experiments.search.definition import ACCURACY, LATENCY, TOKENWORLD, StudyDefinition
from experiments.search.screening import Considered, Screen, anchors, read_considered
from experiments.search.status import Results, Status
from experiments.trials.run_folder import CONSIDERED, LOGS, RECORDS, STUDY, RunFolder
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer.errors import RecordError, StudyError
from topformer.presets import PRESETS, preset

if TYPE_CHECKING:
    from analysis.reports.run_report import ParetoFiles
    from experiments.trials.loop import Listener

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells expect it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSummary:
    """What a sweep came to.

    Attributes:
        status: Counts, best design, front and hypervolume over all records of the folder.
        fresh: Records that this run added.
        considered: What the screening before the first trial found.
        interrupted: Whether the user stopped it; the same command continues.
        exhausted: Whether nothing was left to ask for.
        folder: The run folder.
        files: Pareto table and plots, where there is something to draw.
        wrong: How many designs the doubt of the latency model is expected to have lost; None without a limit.
    """

    status: Status
    fresh: int
    considered: Considered
    interrupted: bool
    exhausted: bool
    folder: Path
    files: "ParetoFiles | None"
    wrong: WrongPrunes | None

    @property
    def exit_status(self) -> int:
        """Status for the command line."""
        return INTERRUPTED if self.interrupted else 0


class Silence:
    """A listener that tells nobody."""

    def note(self, text: str) -> None:
        """Nothing."""

    def status(self, status: Status) -> None:
        """Nothing."""

    def recorded(self, record: Record) -> None:
        """Nothing."""

    def updates(self, fingerprint: str, done: int, total: int) -> None:
        """Nothing."""


def run_sweep(
    definition: StudyDefinition,
    folder: Path,
    *,
    evaluator: Callable[[], Evaluator] | None = None,
    listener: "Listener | None" = None,
    data: Path = Path("data"),
) -> SweepSummary:
    """Run a study in a folder, or continue it there.

    Args:
        definition: The study; on a continuation `trials`, `asked`, `consider`, `workers` and `storage` may differ.
        folder: The run folder; made if it is not there.
        evaluator: Makes the evaluator, here and in every worker; must be picklable. By default that of the study.
        listener: Who is told how it goes.
        data: Where the embedded data set is kept, if the study uses it.

    Returns:
        The summary, also after Ctrl-C.

    Raises:
        StudyError: The study names something that does not exist, or the folder belongs to another study.
        StorageError: The disk or the database does not take or give what it should.
        EvaluationError: Every evaluation fails.
    """
    listener = listener or Silence()
    space, screen = definition.space.build(), Screen(definition)
    make = evaluator or study_evaluator(definition, data, listener)
    made = make()
    metrics = {ACCURACY: made.metric, LATENCY: screen.latency_metric}
    objectives = [
        Objective(metrics.get(name, name), "max" if name == ACCURACY else "min") for name in definition.objectives
    ]
    description = describe(definition, space, objectives, made.describe())
    with RunFolder(folder, description) as run:
        considered = _considered(definition, space, screen, run.path, listener)
        corner = {goal.name: considered.worst.get(goal.name.partition("@")[0], 0.0) for goal in objectives}
        results = Results(objectives, corner, definition.trials)
        interrupted, exhausted, fresh = _loop(
            definition, str(description["identity"]), objectives, space, screen, run, results, listener, make
        )
        status = results.status
        return SweepSummary(
            status=status,
            fresh=fresh,
            considered=considered,
            interrupted=interrupted,
            exhausted=exhausted,
            folder=run.path,
            files=_draw(run.path) if status.complete and len(objectives) > 1 else None,
            wrong=wrong_prunes(run.records, description["limits"]),
        )


def _loop(
    definition: StudyDefinition,
    identity: str,
    objectives: list[Objective],
    space: Space,
    screen: Screen,
    run: RunFolder,
    results: Results,
    listener: "Listener",
    make: Callable[[], Evaluator],
) -> tuple[bool, bool, int]:
    """Whether it was interrupted, whether nothing was left to ask, and how many records it added."""
    # Here, because Optuna takes half a second to load and many callers only read a definition.
    from experiments.search.searcher import Mirror, Searcher
    from experiments.trials.loop import Loop

    earlier = list(run.records)
    foreign = next((record.study for record in earlier if record.study != identity), None)
    if foreign is not None:
        raise StudyError(f"{run.path / RECORDS} holds records of study {foreign}, this one is {identity}")
    results.add(earlier)
    choices = {axis.name: axis.labels for axis in space.axes}
    directions = [goal.direction for goal in objectives]
    mirror = Mirror(
        definition.storage, run.path, name=f"{definition.name}-{run.run}", directions=directions, choices=choices
    )
    searcher = Searcher(
        definition.sampler,
        directions=directions,
        choices=choices,
        # A continued sweep must not repeat the proposals of its start.
        seed=definition.seed + 1_000_003 * len(earlier),
        trials=definition.trials,
    )
    loop = Loop(
        definition,
        identity=identity,
        objectives=objectives,
        space=space,
        screen=screen,
        folder=run,
        searcher=searcher,
        mirror=mirror,
        results=results,
        listener=listener,
    )
    loop.prepare(earlier, anchors(space, preset_candidates(definition)))
    listener.status(results.status)
    with Interruption() as interruption, Engine(definition.workers, make, logs=run.path / LOGS) as engine:
        loop.run(engine, interruption)
    return interruption.requested, loop.exhausted, len(results) - len(earlier)


def describe(
    definition: StudyDefinition, space: Space, objectives: list[Objective], evaluator: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that the records of a study depend on, as plain JSON, and its digest as `identity`."""
    words = {"min": "minimize", "max": "maximize"}
    limits = {name: value for name, value in asdict(definition.limits).items() if value is not None}
    description: dict[str, Any] = {
        "name": definition.name,
        "objectives": [{"metric": goal.name, "direction": words[goal.direction]} for goal in objectives],
        "limits": limits,
        "seed": definition.seed,
        "budget": definition.evaluator.budget,
        "space": {
            **space.describe(),
            "base": definition.space.base,
            "design": space.base.fingerprint,
            "height": definition.space.height,
            "width": definition.space.width,
        },
        "device": definition.device,
        "sampler": definition.sampler,
        "evaluator": {"kind": definition.evaluator.kind, **evaluator},
    }
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    return {**description, "identity": digest[:12]}


def preset_candidates(definition: StudyDefinition) -> list[Candidate]:
    """The base and every preset at the study's size, with the base's classes."""
    base = preset(definition.space.base)
    designs = [base, *(replace(design, num_classes=base.num_classes) for design in PRESETS.values())]
    return [
        Candidate(design=design, height=definition.space.height, width=definition.space.width).canonical()
        for design in designs
    ]


def study_evaluator(definition: StudyDefinition, data: Path, listener: "Listener") -> Callable[[], Evaluator]:
    """What makes the evaluator that a study names; its embedded data set is written where it is not there yet.

    Raises:
        StudyError: Images of the embedded set are square, the study's are not.
        DataError: The folder holds another data set.
        StorageError: The disk does not take the images.
    """
    asked = definition.evaluator
    folder = Path(asked.data)
    if asked.data == TOKENWORLD:
        folder = _write_tokenworld(definition, data, listener)
    # Plain values, because a worker gets them by pickle.
    return partial(_evaluator, asked.kind, folder, dict(asked.settings))


def _write_tokenworld(definition: StudyDefinition, data: Path, listener: "Listener") -> Path:
    from experiments.data.tokenworld.write import write_tokenworld

    size, made = definition.space.height, definition.evaluator.tokenworld
    if definition.space.width != size:
        raise StudyError(
            f"images of {TOKENWORLD} are square, got space.height {size} and width {definition.space.width}"
        )
    folder = data / f"{TOKENWORLD}-{size}-{made.training}-{made.validation}-seed{made.seed}"
    if not folder.exists():
        listener.note(f"drawing {made.training + made.validation:,} images of {TOKENWORLD} into {folder}")
    return write_tokenworld(folder, size=size, training=made.training, validation=made.validation, seed=made.seed)


def _evaluator(kind: str, folder: Path, settings: Mapping[str, Any]) -> Evaluator:
    from experiments.evaluators import evaluator

    return evaluator(kind, folder, settings)


def _considered(
    definition: StudyDefinition, space: Space, screen: Screen, folder: Path, listener: "Listener"
) -> Considered:
    path = folder / CONSIDERED
    if path.exists():
        return read_considered(path)
    found = screen.consider(space, path, designs=definition.consider, seed=definition.seed)
    listener.note(
        f"{found.designs:,} of {space.count():,} designs considered by cost, {found.within:,} within the limits"
    )
    return found


def _draw(folder: Path) -> "ParetoFiles | None":
    from analysis.reports.run_report import write_pareto

    try:
        return write_pareto(folder)
    except RecordError:
        return None


PATHS = (STUDY, RECORDS, CONSIDERED)
"""Files of a run folder that a reader wants first."""

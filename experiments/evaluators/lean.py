"""The lean evaluator: a small training loop in plain torch, for thousands of short trials."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from experiments.data.folders import SegmentationFolder
from experiments.evaluators.training import RECIPE_SETTINGS, TrainingEvaluator, read_settings
from experiments.training.job import TrainingJob
from experiments.training.lean.decoded import Decoded
from experiments.training.lean.train import check_lean, forget, train
from experiments.training.outcome import Outcome, Progress
from experiments.training.recipes import SCRATCH, Recipe
from experiments.training.settings import Machine
from experiments.training.start import origin
from search_space.candidate import Candidate
from topformer.bounds import COUNT
from topformer.errors import StudyError
from topformer.kinds import Text
from topformer.schema import refuse

_OWN = {"start": Text(), "start_design": Text(), "schedule": COUNT}
"""Settings that are no numbers of a recipe: what trainings start from, and of how long a training a budget is the first
part."""


class LeanEvaluator(TrainingEvaluator):
    """Trains a candidate with the lean loop, from scratch or from weights of others.

    The same data, loss, schedule, grouping of parameters and metric as `MmsegEvaluator`, without its per-image
    pipeline. Images that fill the candidate's input are kept as one array; where sizes differ, or colours are to be
    distorted, batches follow the steps of mmsegmentation's pipeline, see `Crops`. Decoded splits stay in memory between
    evaluations. On a CPU an evaluation that was interrupted and resumed gives the same bits as one that was not.

    Args:
        folder: The data set, or its path.
        recipe: The training.
        machine: How it is computed; with its cache, several workers share the decoded pixels.
        start: Folder of a supernet, or file of weights, that trainings start from; from nothing without it.
        start_design: For a file, the design that it belongs to; it is sliced for others.
        schedule: Iterations of a whole training of which a budget is the first part: the learning rate falls as in the
            whole, and the checkpoint stays, so that a longer budget goes on from it. By default a budget is a whole.

    Raises:
        DataError: The folder is no data set, or its classes are not known.
        StudyError: The recipe is for another data set, the loop does not do what it asks for, or there is nothing to
            start from.
        CheckpointError: The weights of the supernet cannot be read.
    """

    kind = "lean"
    settings = (*RECIPE_SETTINGS, "loss_stride", "device", "threads", "compile", "cache", "checkpoint_every", *_OWN)

    def __init__(
        self,
        folder: SegmentationFolder | Path,
        recipe: Recipe = SCRATCH,
        machine: Machine | None = None,
        *,
        start: str | None = None,
        start_design: str | None = None,
        schedule: int | None = None,
    ) -> None:
        machine = machine or Machine()
        self.schedule = schedule
        check_lean(recipe)
        super().__init__(folder, recipe, machine)
        self._decoded = Decoded(self.folder, cache=machine.cache, stacked=True)
        self._origin = None if start is None else origin(start, start_design, self.folder)

    @classmethod
    def read(cls, folder: SegmentationFolder | Path, values: Mapping[str, Any]) -> Self:
        """The evaluator of a table in a study file, see `TrainingEvaluator.read`."""
        own = {name: value for name, value in values.items() if name in _OWN}
        refuse([found for name in own for found in _OWN[name].problems(name, own[name])], StudyError)
        if "start_design" in own and "start" not in own:
            raise StudyError(f"start_design says what start holds, got {own['start_design']!r} without a start")
        rest = {name: value for name, value in values.items() if name not in _OWN}
        return cls(folder, *read_settings(rest, cls.settings, SCRATCH, Machine()), **own)

    def describe(self) -> Mapping[str, Any]:
        """Every setting that changes the number; what is started from by its content."""
        started = {} if self._origin is None else {"start": self._origin.describe()}
        return {**super().describe(), **started, **({} if self.schedule is None else {"schedule": self.schedule})}

    def recipe_of(self, candidate: Candidate, budget: int) -> Recipe:
        """The recipe of the whole training.

        Raises:
            StudyError: The budget is larger than the schedule.
        """
        if self.schedule is not None and budget > self.schedule:
            raise StudyError(f"budget must be at most the schedule of {self.schedule} iterations, got {budget}")
        return super().recipe_of(candidate, self.schedule or budget)

    def job(self, candidate: Candidate, recipe: Recipe, seed: int) -> TrainingJob:
        """What is trained, from the weights where the settings say to start."""
        job = super().job(candidate, recipe, seed)
        return job if self._origin is None else self._origin.job(job)

    def _train(self, job: TrainingJob, folder: Path, progress: Progress | None) -> Outcome:
        return train(job, folder, machine=self.machine, progress=progress, decoded=self._decoded)

    def _forget(self, folder: Path) -> None:
        forget(folder)

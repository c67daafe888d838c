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


class LeanEvaluator(TrainingEvaluator):
    """Trains a candidate from scratch with the lean loop.

    The same data, loss, schedule, grouping of parameters and metric as `MmsegEvaluator`, without its per-image
    pipeline. Images that fill the candidate's input are kept as one array; where sizes differ, or colours are to be
    distorted, batches follow the steps of mmsegmentation's pipeline, see `Crops`. Decoded splits stay in memory between
    evaluations. On a CPU an evaluation that was interrupted and resumed gives the same bits as one that was not.

    Args:
        folder: The data set, or its path.
        recipe: The training.
        machine: How it is computed; with its cache, several workers share the decoded pixels.

    Raises:
        DataError: The folder is no data set, or its classes are not known.
        StudyError: The recipe is for another data set, or the loop does not do what it asks for.
    """

    kind = "lean"
    settings = (*RECIPE_SETTINGS, "loss_stride", "device", "threads", "compile", "cache", "checkpoint_every")

    def __init__(
        self, folder: SegmentationFolder | Path, recipe: Recipe = SCRATCH, machine: Machine | None = None
    ) -> None:
        machine = machine or Machine()
        check_lean(recipe)
        super().__init__(folder, recipe, machine)
        self._decoded = Decoded(self.folder, cache=machine.cache, stacked=True)

    @classmethod
    def read(cls, folder: SegmentationFolder | Path, values: Mapping[str, Any]) -> Self:
        """The evaluator of a table in a study file, see `TrainingEvaluator.read`."""
        return cls(folder, *read_settings(values, cls.settings, SCRATCH, Machine()))

    def _train(self, job: TrainingJob, folder: Path, progress: Progress | None) -> Outcome:
        return train(job, folder, machine=self.machine, progress=progress, decoded=self._decoded)

    def _forget(self, folder: Path) -> None:
        forget(folder)

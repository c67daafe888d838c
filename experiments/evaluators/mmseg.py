"""The mmsegmentation evaluator: trainings with the standard pipelines, loop and metric."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from experiments.data.folders import SegmentationFolder
from experiments.evaluators.training import RECIPE_SETTINGS, TrainingEvaluator, read_settings
from experiments.training.job import TrainingJob
from experiments.training.mmseg.train import forget, train
from experiments.training.outcome import Outcome, Progress
from experiments.training.recipes import SCRATCH, Recipe
from experiments.training.settings import Machine


class MmsegEvaluator(TrainingEvaluator):
    """Trains a candidate from scratch with mmsegmentation, on CUDA where there is a device.

    The training is that of `topformer train` with the same recipe, data and seed. On a CPU a training that was killed
    and resumed gives the same bits as one that was not.

    Args:
        folder: The data set, or its path.
        recipe: The training.
        machine: How it is computed.

    Raises:
        DataError: The folder is no data set, or its classes are not known.
        StudyError: The recipe is for another data set.
    """

    kind = "mmseg"
    settings: ClassVar[tuple[str, ...]] = (*RECIPE_SETTINGS, "workers", "checkpoint_every")

    def __init__(
        self, folder: SegmentationFolder | Path, recipe: Recipe = SCRATCH, machine: Machine | None = None
    ) -> None:
        super().__init__(folder, recipe, machine or Machine())

    @classmethod
    def read(cls, folder: SegmentationFolder | Path, values: Mapping[str, Any]) -> Self:
        """The evaluator of a table in a study file, see `TrainingEvaluator.read`."""
        return cls(folder, *read_settings(values, cls.settings, SCRATCH, Machine()))

    def _train(self, job: TrainingJob, folder: Path, progress: Progress | None) -> Outcome:
        return train(job, folder, machine=self.machine, progress=progress)

    def _forget(self, folder: Path) -> None:
        forget(folder)

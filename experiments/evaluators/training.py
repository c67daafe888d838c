"""What every evaluator that trains on a folder does alike: its metric, its identity, its results on disk."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from experiments.data.folders import SegmentationFolder, check_ready, open_folder
from experiments.evaluators.base import Accuracy, Progress
from experiments.training.outcome import (
    WEIGHTS,
    close_evaluation,
    describe,
    identity,
    open_evaluation,
)
from experiments.training.tensors import write_tensors
from search_space.candidate import Candidate


class Settings(Protocol):
    """The recipe of an evaluator."""

    def describe(self) -> dict[str, Any]:
        """The settings that change the number, as plain JSON."""
        ...


class TrainingEvaluator(ABC):
    """Trains a candidate from scratch on a folder and scores its validation split.

    Args:
        folder: The data set, or its path.
        settings: The recipe.

    Raises:
        DataError: The folder is no data set, or its classes are not known.
    """

    kind: ClassVar[str]
    """Name in study files."""

    def __init__(self, folder: SegmentationFolder | Path, settings: Settings) -> None:
        self.folder = open_folder(folder) if isinstance(folder, Path) else folder
        self.num_classes = self.folder.num_classes
        """Classes of the data; every candidate gets as many."""
        self._recipe = settings
        check_ready(self.folder)

    @property
    def metric(self) -> str:
        """`miou@` and the name of the data set."""
        return f"miou@{self.folder.name}"

    def describe(self) -> Mapping[str, Any]:
        """Every setting that changes the number."""
        return describe(self.kind, self.folder, self._recipe.describe())

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """Train for `budget` updates and score the validation split; see `experiments.evaluators.base`.

        The number of classes is the folder's, whatever the candidate says. `folder` belongs to one candidate, budget
        and seed; a finished evaluation answers from it without training again.

        Raises:
            StudyError: `folder` holds another evaluation, or a setting does not fit this machine.
            EvaluationError: The loss or the logits are not finite.
            DataError: An image cannot be read, or does not suit the evaluator.
            CheckpointError: The checkpoint to go on from cannot be read.
        """
        candidate = replace(candidate, design=replace(candidate.design, num_classes=self.num_classes))
        wanted = identity(self.describe(), candidate, budget=budget, seed=seed)
        if (finished := open_evaluation(folder, wanted)) is not None:
            return finished
        accuracy, state = self._train(candidate, budget=budget, seed=seed, folder=folder, progress=progress)
        write_tensors(folder / WEIGHTS, state)
        close_evaluation(folder, accuracy)
        self._forget(folder)
        return accuracy

    @abstractmethod
    def _train(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None
    ) -> tuple[Accuracy, dict[str, Any]]:
        """Accuracy and weights of the trained network; goes on from a checkpoint that `folder` holds."""

    @abstractmethod
    def _forget(self, folder: Path) -> None:
        """Remove what only an unfinished evaluation needs."""

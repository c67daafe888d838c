"""The recipe evaluator: full trainings by a released recipe, from released weights where they are given."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch

from experiments.data.folders import SegmentationFolder, open_folder
from experiments.evaluators.base import Accuracy, Progress
from experiments.evaluators.training import TrainingEvaluator
from experiments.training.mmseg.configuration import check_fit, with_iterations, with_size
from experiments.training.mmseg.folder import INITIAL
from experiments.training.mmseg.train import LOGS, train
from experiments.training.outcome import WEIGHTS, trained
from experiments.training.recipes import MODELS, RECIPES, Recipe, model_of, recipe
from experiments.training.scores import Scores
from experiments.training.settings import PRECISIONS, check_names
from experiments.training.weights import digest
from search_space.candidate import Candidate
from topformer.errors import StudyError, unknown_name
from topformer.presets import PRESETS

KIND = "recipe"
TRAINING = "training"
"""Folder inside the evaluation's: the training as `topformer train` would leave it, without its checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSettings:
    """What the recipe evaluator can be told.

    Attributes:
        recipe: One of `experiments.training.recipes.RECIPES`.
        checkpoints: Model of the release to a file with its weights, such as the released ImageNet backbone. A
            candidate starts from that of the nearest model, sliced where they differ; from nothing where none is given.
        precision: float32, or bfloat16 for automatic mixed precision, which needs CUDA.
        workers: Processes that load data.

    Raises:
        StudyError: A value is not accepted, or a checkpoint is not there.
    """

    recipe: str = "ade20k-160k"
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    precision: str = "float32"
    workers: int = 4

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise StudyError(unknown_name("recipe", self.recipe, RECIPES))
        if self.precision not in PRECISIONS:
            raise StudyError(unknown_name("precision of the evaluator", self.precision, PRECISIONS))
        if isinstance(self.workers, bool) or not isinstance(self.workers, int) or self.workers < 0:
            raise StudyError(f"workers must be an integer of at least 0, got {self.workers!r}")
        if not isinstance(self.checkpoints, Mapping):
            raise StudyError(f"checkpoints must map a model of the release to a file, got {self.checkpoints!r}")
        for model, path in self.checkpoints.items():
            if model not in MODELS:
                raise StudyError(unknown_name("model of the release", model, MODELS))
            if not Path(path).is_file():
                raise StudyError(f"checkpoint of {model}: {path} is no file")

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """The settings of a table in a study file; absent keys take their defaults.

        Raises:
            StudyError: An unknown key, or a value that is not accepted.
        """
        check_names(cls, values)
        return cls(**values)

    def describe(self) -> dict[str, Any]:
        """What changes the number, as plain JSON: every number of the recipe, and checkpoints by their content."""
        known = {model: digest(Path(path)) for model, path in sorted(self.checkpoints.items())}
        return {"recipe": _plain(RECIPES[self.recipe]), "checkpoints": known, "precision": self.precision}


def _plain(found: Recipe) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(found).items()}


class RecipeEvaluator(TrainingEvaluator):
    """Trains a candidate by a released recipe through mmsegmentation, at the candidate's input size.

    The numbers are those of the released model that is nearest to the candidate; a budget below the recipe's updates
    keeps the warm-up's share of them.

    Args:
        folder: The data set, or its path.
        settings: Recipe and starting weights.

    Raises:
        DataError: The folder is no data set, or its classes are not known.
        StudyError: The recipe is for another data set.
    """

    kind = KIND

    def __init__(self, folder: SegmentationFolder | Path, settings: RecipeSettings | None = None) -> None:
        self.settings = settings or RecipeSettings()
        found = RECIPES[self.settings.recipe]
        opened = open_folder(folder, hint=found.dataset) if isinstance(folder, Path) else folder
        check_fit(found, opened)
        super().__init__(opened, self.settings)

    @classmethod
    def read(cls, folder: SegmentationFolder | Path, settings: Mapping[str, Any]) -> Self:
        """The evaluator of a table of a study file; errors as in `RecipeSettings.read` and above."""
        return cls(folder, RecipeSettings.read(settings))

    def recipe_of(self, candidate: Candidate, budget: int) -> Recipe:
        """The recipe that a candidate is trained by."""
        found = recipe(self.settings.recipe, model_of(candidate.design))
        if found.crop != (candidate.height, candidate.width):
            found = with_size(found, candidate.height, candidate.width)
        return with_iterations(found, budget)

    def _train(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None
    ) -> tuple[Accuracy, dict[str, Any]]:
        nearest = model_of(candidate.design)
        start = self.settings.checkpoints.get(nearest)
        started = time.monotonic()
        found = train(
            candidate.design,
            self.recipe_of(candidate, budget),
            self.folder,
            folder / TRAINING,
            seed=seed,
            workers=self.settings.workers,
            precision=self.settings.precision,
            checkpoint=Path(start) if start else None,
            source=replace(PRESETS[nearest], num_classes=candidate.design.num_classes) if start else None,
            progress=progress,
        )
        seconds = time.monotonic() - started
        accuracy = trained(self.folder, _scores(found), {}, budget=budget, seed=seed, seconds=seconds)
        state: dict[str, Any] = torch.load(folder / TRAINING / WEIGHTS, map_location="cpu", weights_only=True)
        return accuracy, state

    def _forget(self, folder: Path) -> None:
        # The evaluation keeps the weights; the training's own copies are as large as they are many.
        training = folder / TRAINING
        for copy in [*(training / LOGS).rglob("*.pth"), training / INITIAL, training / WEIGHTS]:
            copy.unlink(missing_ok=True)


def _scores(found: Mapping[str, Any]) -> Scores:
    """The scores in a training's result."""
    per_class = tuple(float("nan") if value is None else value for value in found["per_class"].values())
    return Scores(miou=found["miou"], aacc=found["aacc"], macc=found["macc"], per_class=per_class)

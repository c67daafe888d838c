"""The recipe evaluator: full trainings by a released recipe, from released weights where they are given."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from experiments.data.folders import SegmentationFolder
from experiments.evaluators.mmseg import MmsegEvaluator
from experiments.evaluators.training import read_settings
from experiments.training.job import TrainingJob
from experiments.training.mmseg.configuration import CHECKPOINT_EVERY
from experiments.training.recipes import Recipe, recipe, with_size
from experiments.training.settings import Machine
from experiments.training.weights import start_digest
from search_space.candidate import Candidate
from topformer.errors import StudyError, unknown_name
from topformer.kinds import Flag
from topformer.presets import MODELS, PRESETS, model_of
from topformer.schema import check

RECIPE = "ade20k-160k"
"""What is trained where nothing says more."""
OWN = ("checkpoints", "skip_classifier")
"""Settings that no other evaluator has."""
MACHINE = Machine(workers=4, checkpoint_every=CHECKPOINT_EVERY)


class RecipeEvaluator(MmsegEvaluator):
    """Trains a candidate by a released recipe through mmsegmentation, at the candidate's input size.

    The numbers are those of the released model that is nearest to the candidate; a budget below the recipe's iterations
    keeps the warm-up's share of them. The training is that of `topformer train`.

    Args:
        folder: The data set, or its path.
        recipe: The training, with the release's numbers for Small and Base.
        machine: How it is computed.
        checkpoints: Model of the release to a file with its weights, such as the released ImageNet backbone. A
            candidate starts from that of the nearest model, sliced where they differ; from nothing where none is given.
        skip_classifier: Whether the classifier starts anew all the same, as it must where the checkpoints are of a data
            set with other classes.

    Raises:
        DataError: The folder is no data set, or its classes are not known.
        StudyError: The recipe is for another data set, a checkpoint is not there, or there is no classifier to skip.
    """

    kind = "recipe"
    settings = ("recipe", *OWN, "precision", "workers")

    def __init__(
        self,
        folder: SegmentationFolder | Path,
        recipe: Recipe,
        machine: Machine = MACHINE,
        checkpoints: Mapping[str, str] | None = None,
        *,
        skip_classifier: bool = False,
    ) -> None:
        self.checkpoints = _checked({} if checkpoints is None else checkpoints)
        self.skip_classifier = skip_classifier
        check("skip_classifier", skip_classifier, Flag(), StudyError)
        if skip_classifier and not self.checkpoints:
            raise StudyError("skip_classifier says what of checkpoints is loaded, and there are no checkpoints")
        super().__init__(folder, recipe, machine)

    @classmethod
    def read(cls, folder: SegmentationFolder | Path, values: Mapping[str, Any]) -> Self:
        """The evaluator of a table in a study file, see `TrainingEvaluator.read`."""
        rest = {name: value for name, value in values.items() if name not in ("recipe", *OWN)}
        known, machine = read_settings(rest, cls.settings, recipe(values.get("recipe", RECIPE)), MACHINE)
        own = {name: values[name] for name in OWN if name in values}
        return cls(folder, known, machine, **own)

    def describe(self) -> Mapping[str, Any]:
        """Every setting that changes the number; checkpoints by their content."""
        known = {
            model: start_digest(Path(path), skip_classifier=self.skip_classifier)
            for model, path in sorted(self.checkpoints.items())
        }
        return {**super().describe(), "checkpoints": known}

    def recipe_of(self, candidate: Candidate, budget: int) -> Recipe:
        """The recipe that a candidate is trained by."""
        nearest = recipe(self.recipe.name, model_of(candidate.design))
        found = replace(nearest, precision=self.recipe.precision)
        if found.crop != (candidate.height, candidate.width):
            found = with_size(found, candidate.height, candidate.width)
        return replace(found, iterations=budget)

    def job(self, candidate: Candidate, recipe: Recipe, seed: int) -> TrainingJob:
        """What is trained, from the checkpoint of the nearest model of the release where there is one."""
        nearest = model_of(candidate.design)
        start = self.checkpoints.get(nearest)
        return replace(
            super().job(candidate, recipe, seed),
            checkpoint=Path(start) if start else None,
            source=replace(PRESETS[nearest], num_classes=candidate.design.num_classes) if start else None,
            skip_classifier=bool(start) and self.skip_classifier,
        )


def _checked(checkpoints: Any) -> Mapping[str, str]:
    if not isinstance(checkpoints, Mapping):
        raise StudyError(f"checkpoints must map a model of the release to a file, got {checkpoints!r}")
    for model, path in checkpoints.items():
        if model not in MODELS:
            raise StudyError(unknown_name("model of the release", model, MODELS))
        if not (isinstance(path, str) and Path(path).is_file()):
            raise StudyError(f"checkpoint of {model}: {path} is no file")
    return checkpoints

"""What every evaluator that trains on a folder does alike: its metric, its identity, its results on disk."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from math import isnan
from pathlib import Path
from typing import Any, ClassVar, Self

from experiments.data.folders import SegmentationFolder, check_ready, open_folder
from experiments.evaluators.base import Accuracy
from experiments.files import claim, make_folder
from experiments.training.checks import check_fit, check_seed
from experiments.training.claim import data_identity
from experiments.training.job import TrainingJob
from experiments.training.outcome import RESULT, WEIGHTS, Outcome, Progress
from experiments.training.recipes import Recipe, with_size
from experiments.training.scores import group_means
from experiments.training.settings import Machine, value_problems
from experiments.training.tensors import write_tensors
from search_space.candidate import Candidate
from topformer.bounds import COUNT
from topformer.errors import EvaluationError, StudyError, unknown_name
from topformer.files import read_object, write_json
from topformer.schema import check, refuse

IDENTITY = "evaluation.json"
VERSION = "3: dropout of whole channels, and the start of the release"
"""Part of the identity of every evaluation: it rises when the same settings begin to give other numbers.

Since 2, both loops read the same files with one decoder, and mmsegmentation's has one construction. Since 3, dropout
drops whole channels, attention's last BatchNorm starts at weight 0, and a depthwise fuse convolution at a smaller sd.
"""
RECIPE_SETTINGS = (
    "batch",
    "learning_rate",
    "weight_decay",
    "warmup",
    "power",
    "head_multiplier",
    "drop_path",
    "dropout",
    "flip",
    "smallest_scale",
    "largest_scale",
    "distort",
    "precision",
    "validations",
)
"""Fields of a recipe that a study may set, whichever loop trains."""


class TrainingEvaluator(ABC):
    """Trains a candidate on a folder and scores its validation split.

    Args:
        folder: The data set, or its path.
        recipe: The training; its size, its iterations and its classes become the candidate's and the data's.
        machine: How it is computed.

    Raises:
        DataError: The folder is no data set, its classes are not known, or there is nothing to train on.
        StudyError: The recipe is for another data set.
    """

    kind: ClassVar[str]
    """Name in study files."""
    settings: ClassVar[tuple[str, ...]]
    """Fields of recipe and machine that a study may set."""

    def __init__(self, folder: SegmentationFolder | Path, recipe: Recipe, machine: Machine) -> None:
        self.recipe, self.machine = recipe, machine
        opened = open_folder(folder, hint=recipe.dataset or None) if isinstance(folder, Path) else folder
        self.folder = opened
        self.num_classes = opened.num_classes
        """Classes of the data; every candidate gets as many."""
        check_fit(recipe, opened)
        check_ready(opened)

    @classmethod
    @abstractmethod
    def read(cls, folder: SegmentationFolder | Path, values: Mapping[str, Any]) -> Self:
        """The evaluator of a table in a study file; absent keys take their defaults.

        Raises:
            StudyError: An unknown key, or a value that is not accepted.
            DataError: As for the class.
        """

    @property
    def metric(self) -> str:
        """`miou@` and the name of the data set."""
        return f"miou@{self.folder.name}"

    def describe(self) -> Mapping[str, Any]:
        """Every setting that changes the number."""
        return {
            "kind": self.kind,
            "version": VERSION,
            "data": data_identity(self.folder),
            "recipe": self.recipe.describe(),
        }

    def recipe_of(self, candidate: Candidate, budget: int) -> Recipe:
        """The recipe that a candidate is trained by."""
        return replace(with_size(self.recipe, candidate.height, candidate.width), iterations=budget)

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """Train for `budget` iterations and score the validation split; see `experiments.evaluators.base`.

        The number of classes is the folder's, whatever the candidate says. `folder` belongs to one candidate, budget
        and seed; a finished evaluation answers from it without training again.

        Raises:
            StudyError: `folder` holds another evaluation, or a setting does not fit this machine.
            EvaluationError: The loss or the logits are not finite, or memory runs out.
            DataError: An image cannot be read, or does not suit the evaluator.
            CheckpointError: The checkpoint to go on from cannot be read.
        """
        candidate = replace(candidate, design=replace(candidate.design, num_classes=self.num_classes))
        wanted = identity(self.describe(), candidate, budget=budget, seed=seed)
        if (finished := open_evaluation(folder, wanted)) is not None:
            return finished
        recipe = self.recipe_of(candidate, budget)
        outcome = self._train(replace(self.job(candidate, recipe, seed), until=budget), folder, progress)
        accuracy = accuracy_of(outcome, self.folder, budget=budget, seed=seed)
        write_tensors(folder / WEIGHTS, outcome.weights)
        write_json(folder / RESULT, asdict(accuracy))
        if budget == recipe.iterations:
            # Else a longer budget goes on from there.
            self._forget(folder)
        return accuracy

    def job(self, candidate: Candidate, recipe: Recipe, seed: int) -> TrainingJob:
        """What is trained, and from what."""
        return TrainingJob(design=candidate.design, recipe=recipe, folder=self.folder, seed=seed)

    @abstractmethod
    def _train(self, job: TrainingJob, folder: Path, progress: Progress | None) -> Outcome:
        """The training; goes on from a checkpoint that `folder` holds."""

    @abstractmethod
    def _forget(self, folder: Path) -> None:
        """Remove what only an unfinished evaluation needs."""


def read_settings(
    values: Mapping[str, Any], accepted: tuple[str, ...], recipe: Recipe, machine: Machine
) -> tuple[Recipe, Machine]:
    """Recipe and machine with the values of a table in a study file.

    Args:
        values: The table.
        accepted: Its possible keys, fields of a recipe or of a machine.
        recipe: What absent keys keep.
        machine: The same.

    Raises:
        StudyError: Unknown keys, or values that are not accepted; the message lists all of them.
    """
    unknown = [unknown_name("evaluator setting", name, accepted) for name in values if name not in accepted]
    refuse([*unknown, *value_problems(type(recipe), values), *value_problems(Machine, values)], StudyError)
    of_machine = {item.name for item in fields(Machine)}
    changes: dict[str, Any] = {name: value for name, value in values.items() if name not in of_machine}
    machine_changes: dict[str, Any] = {name: value for name, value in values.items() if name in of_machine}
    if "cache" in machine_changes:
        machine_changes["cache"] = Path(machine_changes["cache"])
    return replace(recipe, **changes), replace(machine, **machine_changes)


def accuracy_of(outcome: Outcome, folder: SegmentationFolder, *, budget: int, seed: int) -> Accuracy:
    """The accuracy of a finished training.

    Raises:
        EvaluationError: The validation split has no labelled pixel.
    """
    scores = outcome.scores
    if isnan(scores.miou):
        raise EvaluationError(f"the validation split of {folder.root} has no labelled pixel")
    named = zip(folder.classes, scores.per_class, strict=True)
    per_class = {name: value for name, value in named if not isnan(value)}
    return Accuracy(
        metric=f"miou@{folder.name}",
        value=scores.miou,
        source="trained",
        budget=budget,
        seed=seed,
        seconds=outcome.seconds,
        cpu_seconds=outcome.cpu_seconds,
        curve={str(iteration): value for iteration, value in outcome.validations.items()},
        best=max([*outcome.validations.values(), scores.miou]),
        per_class=per_class,
        groups=group_means(per_class, folder.groups),
    )


def identity(settings: Mapping[str, Any], candidate: Candidate, *, budget: int, seed: int) -> dict[str, Any]:
    """Everything that the number of an evaluation depends on, as plain JSON.

    Raises:
        StudyError: The budget is no positive number of iterations, or the seed out of range.
    """
    check("budget", budget, COUNT, StudyError)
    check_seed(seed)
    return {"evaluator": dict(settings), "candidate": candidate.fingerprint, "budget": budget, "seed": seed}


def open_evaluation(folder: Path, wanted: Mapping[str, Any]) -> Accuracy | None:
    """Make `folder` that of the evaluation `wanted`; give its result if it is finished.

    Raises:
        StudyError: The folder belongs to another evaluation; the message names what differs.
        StorageError: It cannot be made or read.
    """
    make_folder(folder)
    claim(folder, IDENTITY, wanted, holds="evaluation", besides=[item.name for item in folder.iterdir()])
    return Accuracy(**read_object(folder / RESULT)) if (folder / RESULT).exists() else None

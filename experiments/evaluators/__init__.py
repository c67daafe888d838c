"""Ways to obtain the accuracy of a candidate."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from topformer.errors import InputError, unknown_name

if TYPE_CHECKING:
    from experiments.data.folders import SegmentationFolder
    from experiments.evaluators.lean import LeanEvaluator
    from experiments.evaluators.mmseg import MmsegEvaluator
    from experiments.evaluators.recipe import RecipeEvaluator
    from experiments.evaluators.training import TrainingEvaluator

# torch and mmsegmentation take seconds to load, so that each is imported where it is asked for.


def _lean(folder: "SegmentationFolder | Path", settings: Mapping[str, Any]) -> "LeanEvaluator":
    from experiments.evaluators.lean import LeanEvaluator

    return LeanEvaluator.read(folder, settings)


def _mmseg(folder: "SegmentationFolder | Path", settings: Mapping[str, Any]) -> "MmsegEvaluator":
    from experiments.evaluators.mmseg import MmsegEvaluator

    return MmsegEvaluator.read(folder, settings)


def _recipe(folder: "SegmentationFolder | Path", settings: Mapping[str, Any]) -> "RecipeEvaluator":
    from experiments.evaluators.recipe import RecipeEvaluator

    return RecipeEvaluator.read(folder, settings)


EVALUATORS: Mapping[str, Callable[..., Any]] = MappingProxyType({"lean": _lean, "mmseg": _mmseg, "recipe": _recipe})
"""Kinds of training evaluators."""


def evaluator(
    kind: str, folder: "SegmentationFolder | Path", settings: Mapping[str, Any] | None = None
) -> "TrainingEvaluator":
    """The training evaluator of that kind on a data set.

    Args:
        kind: `lean`, `mmseg` or `recipe`.
        folder: The data set, or its path.
        settings: The evaluator's table of a study file; absent keys take their defaults.

    Raises:
        InputError: There is no such kind; the message offers the nearest.
        StudyError: A setting does not exist, or its value is not accepted.
        DataError: The folder is no data set, or its classes are not known.
    """
    if kind not in EVALUATORS:
        raise InputError(unknown_name("evaluator", kind, EVALUATORS))
    made: TrainingEvaluator = EVALUATORS[kind](folder, settings or {})
    return made

"""What must hold before a training begins, whichever command or evaluator asks for it."""

import torch

from experiments.data.folders import SegmentationFolder, check_ready
from experiments.training.recipes import Recipe
from topformer.bounds import SEED
from topformer.errors import StudyError


def check_training(recipe: Recipe, folder: SegmentationFolder, *, seed: int) -> None:
    """Recipe, data and seed can be trained together.

    Raises:
        StudyError: The recipe is for another data set, or the seed is out of range.
        DataError: A split is missing, empty or without a labelled pixel, or there are fewer than two classes.
    """
    check_seed(seed)
    check_fit(recipe, folder)
    check_ready(folder)


def check_seed(seed: int) -> None:
    """A seed is one that every library takes.

    Raises:
        StudyError: It is not.
    """
    for problem in SEED.problems("seed", seed):
        raise StudyError(problem)


def check_fit(recipe: Recipe, folder: SegmentationFolder) -> None:
    """A recipe of one known data set is not for another; folders of one's own go with every recipe.

    Raises:
        StudyError: The data set is known and not the recipe's.
    """
    known = folder.source
    if known and recipe.dataset not in ("", known.name):
        raise StudyError(
            f"recipe {recipe.name} is for {recipe.dataset} ({recipe.classes} classes), {folder.root} holds "
            f"{known.name} ({known.num_classes} classes); its recipe is {known.recipe}"
        )


def check_precision(precision: str, device: torch.device) -> None:
    """Mixed precision through mmsegmentation is CUDA's.

    Raises:
        StudyError: It is asked for on another device.
    """
    if precision != "float32" and device.type != "cuda":
        raise StudyError(f"precision {precision} needs a CUDA device with mmsegmentation; accepted here: float32")


def check_share(batch: int, processes: int) -> None:
    """A batch can be dealt out equally.

    Raises:
        StudyError: It cannot.
    """
    if batch % processes:
        raise StudyError(f"batch must be a multiple of the {processes} devices, got {batch}")

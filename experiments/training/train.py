"""A full training by a recipe in a folder of its own, with either loop."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from experiments.data.folders import SegmentationFolder
from experiments.training.checks import check_training
from experiments.training.claim import claimed
from experiments.training.job import TrainingJob
from experiments.training.outcome import RESULT, WEIGHTS, Outcome, Progress
from experiments.training.processes import rank
from experiments.training.recipes import Recipe
from experiments.training.scores import as_json
from experiments.training.settings import Machine
from experiments.training.tensors import write_tensors
from topformer.design import Design
from topformer.files import read_object, write_json

Train = Callable[..., Outcome]


def _mmseg() -> Train:
    from experiments.training.mmseg.train import train

    return train


def _lean() -> Train:
    from experiments.training.lean.train import train

    return train


LOOPS: Mapping[str, Callable[[], Train]] = MappingProxyType({"mmseg": _mmseg, "lean": _lean})
"""The loops by name; mmsegmentation takes seconds to load, so that each is imported where it is asked for."""


def train(
    loop: str,
    design: Design,
    recipe: Recipe,
    folder: SegmentationFolder,
    out: Path,
    *,
    seed: int = 0,
    machine: Machine | None = None,
    checkpoint: Path | None = None,
    source: Design | None = None,
    skip_classifier: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a network; an interrupted training goes on from its last checkpoint, a finished one answers.

    On a CPU it then gives the same bits as one that was not interrupted. `out` gets `training.json`, `weights.pt`,
    `result.json`, with a checkpoint `start.json`, and what the loop keeps of its own.

    Args:
        loop: One of `LOOPS`.
        design: The network; its number of classes becomes the data's.
        recipe: The training.
        folder: The data set.
        out: Folder of this training.
        seed: Of initialisation, data order and augmentation.
        machine: How it is computed.
        checkpoint: Weights to start from, such as a released ImageNet backbone.
        source: The design that these belong to, if not `design`; they are sliced.
        skip_classifier: Leave the classifier initialised, because the classes are others.
        progress: Called after every iteration with the iterations done and all of them.

    Returns:
        The content of `result.json`: mIoU, aAcc, mAcc and IoU by class in percent, and the settings.

    Raises:
        StudyError: `out` holds another training, or the machine cannot do what is asked for.
        DataError: The folder lacks something, or a file in it cannot be read.
        CheckpointError: The weights do not fit, or the checkpoint to go on from cannot be read.
        EvaluationError: The loss is not finite, memory runs out, or another process of the training ended.
        StorageError: The disk does not take a file, or a checkpoint cannot be read.
    """
    check_training(recipe, folder, seed=seed)
    job = TrainingJob(
        design=replace(design, num_classes=folder.num_classes),
        recipe=recipe,
        folder=folder,
        seed=seed,
        checkpoint=checkpoint,
        source=source,
        skip_classifier=skip_classifier,
    )
    run = LOOPS[loop]()
    with claimed(out, {"loop": loop, **job.describe()}, first=rank() == 0):
        if (out / RESULT).exists() and (out / WEIGHTS).exists():
            return read_object(out / RESULT)
        outcome = run(job, out, machine=machine or Machine(checkpoint_every=2000), progress=progress)
        return _written(outcome, job, loop, out)


def _written(outcome: Outcome, job: TrainingJob, loop: str, out: Path) -> dict[str, Any]:
    """The result, as plain JSON: scores in percent, and the settings that a reader of them asks for.

    The first process writes it, after the weights: where it is, the training has ended.
    """
    result = {
        **as_json(outcome.scores, job.folder.classes),
        "validations": [{"iteration": done, "miou": miou} for done, miou in outcome.validations.items()],
        "recipe": asdict(job.recipe),
        "seed": job.seed,
        "iterations": job.recipe.iterations,
        "loop": loop,
    }
    if rank() == 0:
        write_tensors(out / WEIGHTS, outcome.weights)
        write_json(out / RESULT, result)
    return result

"""Pre-training of a design on a classification data set, from its folder to weights that a segmentation starts from."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from experiments.data.image_folder import TRAIN, VAL, ClassFolder
from experiments.training.checks import check_seed, check_share
from experiments.training.claim import CHECKPOINT, claimed
from experiments.training.classification.data import TrainingOrder, training_batches, validation_batches
from experiments.training.classification.loop import Pretraining
from experiments.training.classification.recipes import PretrainRecipe
from experiments.training.memory import naming_what_ran_out
from experiments.training.outcome import RESULT, WEIGHTS, Progress
from experiments.training.processes import Ranks, joined_processes, rank, world_size
from experiments.training.tensors import goes_on, write_tensors
from topformer.classification import released_state
from topformer.codec import fingerprint, to_json
from topformer.design import Design
from topformer.errors import StudyError
from topformer.files import write_json

SETTINGS = "pretraining.json"
CHECKPOINT_EVERY = 1000
"""Iterations between two checkpoints within an epoch; every epoch ends with one."""


def settings(
    design: Design, recipe: PretrainRecipe, folder: ClassFolder, *, seed: int, precision: str
) -> dict[str, Any]:
    """Everything that the weights depend on, as plain JSON.

    Raises:
        StudyError: An epoch has no whole batch.
    """
    images = {split: len(folder.splits[split]) for split in (TRAIN, VAL)}
    if images[TRAIN] < recipe.batch:
        raise StudyError(
            f"batch must be at most the {images[TRAIN]} training images of {folder.root}, got {recipe.batch}"
        )
    data = {"name": folder.name, "classes": len(folder.classes), "images": images, "files": folder.digest()}
    return {
        "design": to_json(design),
        "fingerprint": fingerprint(design),
        "recipe": recipe.describe(),
        "data": data,
        "seed": seed,
        "precision": precision,
    }


def pretrain(
    design: Design,
    recipe: PretrainRecipe,
    folder: ClassFolder,
    out: Path,
    *,
    seed: int = 0,
    workers: int = 4,
    precision: str = "float32",
    device: str = "auto",
    checkpoint_every: int = CHECKPOINT_EVERY,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a classifier of the design; an interrupted training goes on exactly where its last checkpoint stood.

    Under `torchrun` the batch is shared by the processes; each has BatchNorm statistics of its own share, and those
    of the first are kept, as in the trainings that the recipes are taken from. `out` gets `pretraining.json` (what
    the weights depend on), `weights.pt` (`state_dict` and `state_dict_ema`, by released names) and `result.json`.

    Args:
        design: The network; injection and segmentation head are not used.
        recipe: The training.
        folder: The data set.
        out: Folder of this training.
        seed: Of initialisation, data order, augmentation and draws.
        workers: Processes per device that load data.
        precision: float32, or bfloat16 for automatic mixed precision.
        device: `cpu`, `cuda`, or `auto`.
        checkpoint_every: Iterations between two checkpoints within an epoch.
        progress: Called after every iteration with the iterations done and all of them.

    Returns:
        The content of `result.json`: top-1 and top-5 in percent, with averaged weights and with the last ones, by
        epoch too, and the settings.

    Raises:
        StudyError: `out` holds another training, or the machine cannot do what is asked for.
        DataError: An image cannot be read.
        EvaluationError: The loss is not finite.
    """
    wanted = settings(design, recipe, folder, seed=seed, precision=precision)
    check_seed(seed)
    check_share(recipe.batch, world_size())
    with (
        joined_processes(device) as own,
        torch.random.fork_rng(range(torch.cuda.device_count())),
        naming_what_ran_out(recipe.batch // world_size(), recipe.size, recipe.size),
        ExitStack() as stack,
    ):
        ranks = Ranks(rank=rank(), world=world_size(), device=own)
        stack.enter_context(claimed(out, wanted, name=SETTINGS, first=ranks.first))
        ranks.wait()
        training = _begun(design, recipe, folder, out, seed=seed, ranks=ranks, precision=precision)
        _run(training, folder, out, workers=workers, every=checkpoint_every, progress=progress)
        return _finished(training, design, wanted, out, ranks)


def _begun(
    design: Design, recipe: PretrainRecipe, folder: ClassFolder, out: Path, *, seed: int, ranks: Ranks, precision: str
) -> Pretraining:
    """The training, where its last checkpoint stood if there is one."""
    training = Pretraining(
        design,
        recipe,
        classes=len(folder.classes),
        per_epoch=len(folder.splits[TRAIN]) // recipe.batch,
        seed=seed,
        ranks=ranks,
        precision=precision,
    )
    if goes_on(out / CHECKPOINT):
        training.load(out / CHECKPOINT)
    return training


def _run(
    training: Pretraining, folder: ClassFolder, out: Path, *, workers: int, every: int, progress: Progress | None
) -> None:
    recipe, ranks = training.recipe, training.ranks
    order = TrainingOrder(
        len(folder.splits[TRAIN]),
        recipe.batch,
        seed=training.seed,
        start=training.iteration,
        stop=training.iterations,
        rank=ranks.rank,
        world=ranks.world,
    )
    for batch in training_batches(folder, recipe, order, workers=workers):
        loss = training.step(batch)
        ends = training.iteration % training.per_epoch == 0
        if ends:
            training.history.append(_scored(training, folder, loss, workers=workers))
        if ranks.first and (ends or training.iteration % every == 0):
            training.save(out / CHECKPOINT)
        if progress is not None:
            progress(training.iteration, training.iterations)


def _scored(training: Pretraining, folder: ClassFolder, loss: float, *, workers: int) -> dict[str, float]:
    """An epoch's line of the history: accuracies of the last and the averaged weights, and the last loss."""
    ranks = training.ranks
    size = max(training.recipe.batch // ranks.world, 1)
    batches = validation_batches(
        folder, training.recipe, size=size, workers=workers, rank=ranks.rank, world=ranks.world
    )
    last, averaged = training.validate(batches)
    return {
        "epoch": training.iteration // training.per_epoch,
        "loss": loss,
        **asdict(last),
        **{f"{name}_ema": value for name, value in asdict(averaged).items()},
    }


def _finished(
    training: Pretraining, design: Design, wanted: Mapping[str, Any], out: Path, ranks: Ranks
) -> dict[str, Any]:
    last = training.history[-1]
    result = {**{name: last[name] for name in ("top1_ema", "top5_ema", "top1", "top5")}, "history": training.history}
    if ranks.first:
        states = {"state_dict": training.model, "state_dict_ema": training.averaged.module}
        held = {name: released_state(model.state_dict(), design) for name, model in states.items()}
        plain = {name: {k: v.cpu() for k, v in state.items()} for name, state in held.items()}
        write_tensors(out / WEIGHTS, plain)
        write_json(out / RESULT, {**result, **wanted})
    ranks.wait()
    return {**result, **wanted}

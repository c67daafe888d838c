"""A full training of a recipe with the lean loop: on one device, batches cut and distorted there."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from experiments.data.folders import SegmentationFolder, check_ready
from experiments.evaluators.base import Progress
from experiments.training.lean.batches import MEAN, STD
from experiments.training.lean.crops import Crops
from experiments.training.lean.data import load_mixed
from experiments.training.lean.loop import CHECKPOINT, Evaluation, Training, seeded
from experiments.training.malloc import keep_freed_memory
from experiments.training.outcome import RESULT, TRAINING, VALIDATION, WEIGHTS, read_json, write_json
from experiments.training.processes import choose_device, world_size
from experiments.training.recipes import Recipe
from experiments.training.scores import as_json, scores
from experiments.training.settings import LeanSettings
from experiments.training.tensors import write_tensors
from experiments.training.weights import START, digest, starting_weights
from topformer.codec import to_json
from topformer.design import Design
from topformer.errors import StudyError

CONFIGURATION = "lean.json"
_FIXED = {
    "betas": (0.9, 0.999),
    "norm_weight_decay": 0.0,
    "warmup_factor": 1e-6,
    "least_rate": 0.0,
    "mean": MEAN,
    "std": STD,
    "ignore_index": 255,
    "pad_label": 255,
}
"""What the lean loop does not let a recipe choose."""


def lean_settings(recipe: Recipe, **changes: Any) -> LeanSettings:
    """The lean loop's settings for a recipe.

    Raises:
        StudyError: The recipe asks for something that the loop does not do, or a change is not accepted.
    """
    for name, value in _FIXED.items():
        if getattr(recipe, name) != value:
            raise StudyError(f"the lean loop trains with {name} {value}, got {getattr(recipe, name)}; use --loop mmseg")
    return LeanSettings(
        batch=recipe.batch,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        warmup=recipe.warmup / recipe.iterations,
        power=recipe.power,
        head_multiplier=recipe.head_multiplier,
        drop_path=recipe.drop_path,
        dropout=recipe.dropout,
        flip=recipe.flip,
        smallest_scale=recipe.factors[0],
        largest_scale=recipe.factors[1],
        distort=recipe.distort,
        **{"validations": 10, "checkpoint_every": 2000, **changes},
    )


def train_lean(
    design: Design,
    recipe: Recipe,
    folder: SegmentationFolder,
    out: Path,
    *,
    seed: int = 0,
    settings: LeanSettings | None = None,
    checkpoint: Path | None = None,
    source: Design | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a network on one device; an interrupted training goes on from its last checkpoint.

    `out` gets `lean.json`, `weights.pt`, `result.json` and, with a checkpoint, `start.json`, all but the first in the
    form of `mmseg_train.train`.

    Args:
        design: The network; its number of classes becomes the data's.
        recipe: The training.
        folder: The data set.
        out: Folder of this training.
        seed: Of initialisation, data order and augmentation.
        settings: Of the loop; `lean_settings(recipe)` by default.
        checkpoint: Weights to start from, such as a released ImageNet backbone.
        source: The design that these belong to, if not `design`; they are sliced.
        cache: Folder of the decoded data set; in memory without one.
        progress: Called after every update with the updates done and all of them.

    Returns:
        The content of `result.json`.

    Raises:
        StudyError: `out` holds another training, or the machine cannot do what is asked for.
        DataError: The folder lacks something.
        CheckpointError: The weights do not fit.
        EvaluationError: The loss is not finite.
        StorageError: Something cannot be written, or a checkpoint not be read.
    """
    if world_size() > 1:
        raise StudyError(f"the lean loop trains on one device, got {world_size()} processes")
    check_ready(folder)
    settings = settings or lean_settings(recipe)
    design = replace(design, num_classes=folder.num_classes)
    about = {"design": to_json(design), "recipe": asdict(recipe), "seed": seed, "settings": settings.describe()}
    _claim(out, {**about, "start": digest(checkpoint) if checkpoint else None})
    if (out / RESULT).exists():
        finished: dict[str, Any] = read_json(out / RESULT)
        return finished
    with seeded(seed, threads=settings.threads):
        training = _training(design, recipe, folder, settings, seed, cache)
        if (out / CHECKPOINT).exists():
            training.load(out / CHECKPOINT)
        elif checkpoint:
            state, start = starting_weights(checkpoint, source or design, design, seed=seed)
            write_json(out / START, start.to_json())
            training.model.load_state_dict(state)
        result = _run(training, folder, out, cache, progress)
    result = {**result, "recipe": asdict(recipe), "seed": seed, "iterations": recipe.iterations, "loop": "lean"}
    write_tensors(out / WEIGHTS, {name: value.cpu() for name, value in training.model.state_dict().items()})
    write_json(out / RESULT, result)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return result


def _claim(out: Path, about: dict[str, Any]) -> None:
    """Write what is trained, or find the same there."""
    out.mkdir(parents=True, exist_ok=True)
    known, wanted = out / CONFIGURATION, json.loads(json.dumps(about))
    if not known.exists():
        if any(out.iterdir()):
            raise StudyError(f"{out} holds something that is no training of the lean loop; choose another --out")
        write_json(known, wanted)
        return
    found = read_json(known)
    for name, value in wanted.items():
        if found.get(name) != value:
            raise StudyError(f"{out} holds another training, with another {name}; choose another --out")


def _training(
    design: Design, recipe: Recipe, folder: SegmentationFolder, settings: LeanSettings, seed: int, cache: Path | None
) -> Training:
    device = choose_device(settings.device)
    if device.type == "cpu":
        keep_freed_memory()
    crops = Crops(
        pixels=load_mixed(folder, TRAINING, device, cache),
        batch=recipe.batch,
        seed=seed,
        height=recipe.crop[0],
        width=recipe.crop[1],
        scale=recipe.scale,
        factors=recipe.factors,
        share=recipe.cat_max_ratio,
        flip=recipe.flip,
        distort=recipe.distort,
    )
    evaluation = Evaluation(recipe.evaluation_scale, recipe.size_divisor)
    return Training(design, settings, crops, budget=recipe.iterations, device=device, evaluation=evaluation)


def _run(
    training: Training, folder: SegmentationFolder, out: Path, cache: Path | None, progress: Progress | None
) -> dict[str, Any]:
    validation = load_mixed(folder, VALIDATION, training.device, cache)
    settings, budget = training.settings, training.budget
    while training.update < budget:
        training.step()
        if training.update < budget and settings.is_validation(training.update, budget):
            training.history.append((training.update, scores(training.validate(validation)).miou))
        if training.update % settings.checkpoint_every == 0:
            training.save(out / CHECKPOINT)
        if progress is not None:
            progress(training.update, budget)
    training.check(budget)
    earlier = [{"iteration": update, "miou": value} for update, value in training.history]
    return {**as_json(scores(training.validate(validation)), folder.classes), "validations": earlier}

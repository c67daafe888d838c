"""A training of a detector through mmdetection, run from the configuration that is written beside it."""

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from experiments.data.coco import CocoFolder
from experiments.training.checks import check_seed
from experiments.training.claim import claimed
from experiments.training.detection.recipes import DetectionRecipe, configuration
from experiments.training.memory import naming_what_ran_out
from experiments.training.mmseg.configuration import as_python
from experiments.training.mmseg.hooks import FiniteLossHook, ProgressHook
from experiments.training.mmseg.runner import INITIAL, FileRunner, run, write_start
from experiments.training.outcome import RESULT, WEIGHTS, Progress
from experiments.training.processes import joined_processes, rank, wait_for_all, world_size
from experiments.training.tensors import write_tensors
from experiments.training.weights import START, digest, starting_weights
from topformer.codec import to_json
from topformer.design import Design
from topformer.files import write_json
from topformer.mmdet import check_scales
from topformer.mmseg import quiet

with quiet():
    from mmengine.hooks import Hook

LOGS = "mmdet"
SCORES: Mapping[str, str] = {"ap": "coco/bbox_mAP", "ap50": "coco/bbox_mAP_50", "ap75": "coco/bbox_mAP_75"}
"""Our name of each score to mmdetection's, whose values lie between 0 and 1."""


class _ScoresHook(Hook):  # type: ignore[misc]
    """Keeps the scores of the last validation."""

    last: dict[str, float] | None = None

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Keep them; the metric gives none where nothing was detected at all."""
        found = metrics or {}
        self.last = {name: 100 * float(found.get(theirs, 0.0)) for name, theirs in SCORES.items()}


class _Runner(FileRunner):
    """Starts from the weights of a backbone."""

    starts_whole = False


def train_detector(
    design: Design,
    recipe: DetectionRecipe,
    folder: CocoFolder,
    out: Path,
    *,
    seed: int = 0,
    workers: int = 2,
    checkpoint: Path | None = None,
    source: Design | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a detector; an interrupted training goes on from its last epoch.

    Under `torchrun` the batch is shared by the processes. `out` gets `training.json`, `config.py`, mmengine's logs and
    checkpoints, `weights.pt` (the detector's state dict) and `result.json`.

    Args:
        design: The network around which the detector stands.
        recipe: The training.
        folder: The data set.
        out: Folder of this training.
        seed: Of initialisation, data order and augmentation.
        workers: Processes per device that load data.
        checkpoint: Weights of the backbone to start from, such as a released ImageNet backbone.
        source: The design that these belong to, if not `design`; they are sliced.
        progress: Called after every iteration with the iterations done and all of them.

    Returns:
        The content of `result.json`: AP, AP50 and AP75 of COCO in percent, and the settings.

    Raises:
        StudyError: `out` holds another training, or the machine cannot do what is asked for.
        DesignError, CheckpointError: The design lacks a scale; the weights do not fit.
        EvaluationError: The loss is not finite, memory runs out, or another process of the training ended.
        StorageError: The disk does not take a checkpoint.
    """
    check_scales(design)
    settings = configuration(
        design,
        recipe,
        replace(folder, root=folder.root.resolve()),
        seed=seed,
        devices=world_size(),
        workers=workers,
        initial=str((out / INITIAL).resolve()) if checkpoint else None,
    )
    check_seed(seed)
    long, short = recipe.scale
    held = claimed(out, _training(design, recipe, folder, seed, checkpoint), first=rank() == 0)
    with held, joined_processes(), naming_what_ran_out(recipe.batch // world_size(), short, long):
        if rank() == 0:
            write_start(out, as_python(settings), lambda: _initial(out, checkpoint, source or design, design, seed))
        wait_for_all()
        weights, scores = _run(settings, out / LOGS, progress)
        result = {**scores, "recipe": asdict(recipe), "seed": seed, "images": dict(folder.images)}
        if rank() == 0:
            write_tensors(out / WEIGHTS, weights)
            write_json(out / RESULT, result)
    return result


def _run(settings: dict[str, Any], work: Path, progress: Progress | None) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The weights of the detector after its training, and the scores of the last validation."""
    scores = _ScoresHook()
    hooks = [FiniteLossHook(), scores, *([ProgressHook(progress)] if progress else [])]
    # pycocotools prints.
    with redirect_stdout(io.StringIO()):
        weights = run(settings, work, hooks, scored=lambda: scores.last is not None, runner=_Runner)
    assert scores.last is not None
    return weights, scores.last


def _training(
    design: Design, recipe: DetectionRecipe, folder: CocoFolder, seed: int, checkpoint: Path | None
) -> dict[str, Any]:
    """Everything that the weights depend on."""
    return {
        "design": to_json(design),
        "recipe": asdict(recipe),
        "data": {"classes": list(folder.classes), "images": dict(folder.images)},
        "seed": seed,
        "start": digest(checkpoint) if checkpoint else None,
        "processes": world_size(),
    }


def _initial(out: Path, checkpoint: Path | None, source: Design, design: Design, seed: int) -> dict[str, Tensor] | None:
    """The backbone's weights under the detector's names; where they come from is written into the folder."""
    if checkpoint is None:
        return None
    state, start = starting_weights(checkpoint, source, design, seed=seed)
    write_json(out / START, start.to_json())
    prefix = "backbone."
    return {f"{prefix}body.{k.removeprefix(prefix)}": v for k, v in state.items() if k.startswith(prefix)}

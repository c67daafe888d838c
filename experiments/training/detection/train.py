"""A training of a detector through mmdetection, run from the configuration that is written beside it."""

import io
import os
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch.distributed import is_initialized

from experiments.data.coco import CocoFolder
from experiments.evaluators.base import Progress
from experiments.training.detection.recipe import DetectionRecipe, configuration
from experiments.training.mmseg.configuration import as_python
from experiments.training.mmseg.folder import INITIAL, prepare
from experiments.training.mmseg.runner import FileRunner, last_checkpoint
from experiments.training.outcome import RESULT, WEIGHTS, not_finite, write_json
from experiments.training.processes import joined_processes, rank, world_size
from experiments.training.tensors import write_tensors
from experiments.training.weights import START, starting_weights
from topformer.design import Design
from topformer.mmdet import check_scales
from topformer.mmseg import quiet

with quiet():
    from mmengine.config import Config
    from mmengine.hooks import Hook

LOGS = "mmdet"
SCORES: Mapping[str, str] = {"ap": "coco/bbox_mAP", "ap50": "coco/bbox_mAP_50", "ap75": "coco/bbox_mAP_75"}
"""Our name of each score to mmdetection's, whose values lie between 0 and 1."""


class _Watch(Hook):  # type: ignore[misc]
    """Ends a training whose loss is not finite, tells the caller about every update, and keeps the last scores."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.scores: dict[str, float] | None = None

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,  # noqa: ARG002
        data_batch: Any = None,  # noqa: ARG002
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Check and report one update."""
        loss = outputs["loss"].item() if outputs else float("nan")
        if not isfinite(loss):
            raise not_finite(loss, runner.iter + 1, runner.max_iters)
        if self.progress is not None:
            self.progress(runner.iter + 1, runner.max_iters)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Keep the scores; the metric gives none where nothing was detected at all."""
        found = metrics or {}
        self.scores = {name: 100 * float(found.get(theirs, 0.0)) for name, theirs in SCORES.items()}


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

    Under `torchrun` the batch is shared by the processes. `out` gets `config.py`, mmengine's logs and checkpoints,
    `weights.pt` (the detector's state dict) and `result.json`.

    Args:
        design: The network around which the detector stands.
        recipe: The training.
        folder: The data set.
        out: Folder of this training.
        seed: Of initialisation, data order and augmentation.
        workers: Processes per device that load data.
        checkpoint: Weights of the backbone to start from, such as a released ImageNet backbone.
        source: The design that these belong to, if not `design`; they are sliced.
        progress: Called after every update with the updates done and all of them.

    Returns:
        The content of `result.json`: AP, AP50 and AP75 of COCO in percent, and the settings.

    Raises:
        StudyError: `out` holds another training, or the machine cannot do what is asked for.
        DesignError, CheckpointError: The design lacks a scale; the weights do not fit.
        EvaluationError: The loss is not finite, or another process of the training ended.
        StorageError: The disk does not take a checkpoint.
    """
    check_scales(design)
    start = partial(_write_initial, checkpoint, source or design, design, seed) if checkpoint else None
    settings = configuration(
        design,
        recipe,
        replace(folder, root=folder.root.resolve()),
        seed=seed,
        devices=world_size(),
        workers=workers,
        initial=str((out / INITIAL).resolve()) if start else None,
    )
    with joined_processes():
        prepare(out, as_python(settings), LOGS, start)
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            # The packages warn of their own defaults and of torch's deprecations; pycocotools prints.
            warnings.simplefilter("ignore")
            scores, weights = _run(settings, out / LOGS, progress)
    result = {**scores, "recipe": asdict(recipe), "seed": seed, "images": dict(folder.images)}
    if rank() == 0:
        write_tensors(out / WEIGHTS, weights)
        write_json(out / RESULT, result)
    return result


def _write_initial(checkpoint: Path, source: Design, design: Design, seed: int, initial: Path) -> None:
    """The backbone's weights under the detector's names, and where they come from."""
    state, start = starting_weights(checkpoint, source, design, seed=seed)
    prefix = "backbone."
    body = {f"{prefix}body.{k.removeprefix(prefix)}": v for k, v in state.items() if k.startswith(prefix)}
    write_json(initial.with_name(START), start.to_json())
    write_tensors(initial, {"state_dict": body})


def _run(
    settings: Mapping[str, Any], work: Path, progress: Progress | None
) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    resumed = last_checkpoint(work)
    changes = {"load_from": str(resumed), "resume": True} if resumed else {}
    launcher = "pytorch" if is_initialized() else "none"
    # mmengine keeps loggers and histories by name for the life of the process.
    name = {"experiment_name": f"detection-{os.getpid()}-{work.resolve()}".replace("/", "-")}
    runner = _Runner.from_cfg(Config({**settings, **changes, **name, "work_dir": str(work), "launcher": launcher}))
    watch = _Watch(progress)
    runner.register_hook(watch)
    try:
        runner.train()
        if watch.scores is None:
            # The training had been stopped between its last update and its last validation.
            runner.val()
    finally:
        for handler in runner.logger.handlers:
            handler.close()
    assert watch.scores is not None
    model = getattr(runner.model, "module", runner.model)
    state = {k: v.cpu() for k, v in model.state_dict().items() if not k.startswith("data_preprocessor.")}
    return watch.scores, state

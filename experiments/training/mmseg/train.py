"""A full training through mmsegmentation, run from the configuration that is written beside it."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.distributed import is_initialized

from experiments.data.folders import SegmentationFolder, check_ready
from experiments.evaluators.base import Progress
from experiments.training.mmseg.configuration import as_python, mmengine_configuration
from experiments.training.mmseg.draws import without_trace
from experiments.training.mmseg.folder import INITIAL, prepare
from experiments.training.mmseg.hooks import FiniteLossHook, ProgressHook, ScoresMetric
from experiments.training.mmseg.memory import Probe, explained
from experiments.training.mmseg.runner import FileRunner, last_checkpoint
from experiments.training.outcome import RESULT, WEIGHTS, write_json
from experiments.training.processes import joined_processes, rank, world_size
from experiments.training.recipes import Recipe
from experiments.training.scores import Scores, as_json
from experiments.training.tensors import write_tensors
from experiments.training.weights import START, starting_weights
from topformer.design import Design
from topformer.errors import StudyError
from topformer.mmseg import from_segmentor_state, quiet, to_segmentor_state

with quiet():
    from mmengine.config import Config
    from mmengine.evaluator import Evaluator

LOGS = "mmseg"


class _Runner(FileRunner):
    """Scores the validation split with unrounded numbers."""

    def build_evaluator(self, evaluator: Any) -> Any:  # noqa: ARG002
        """The one evaluator."""
        return Evaluator([ScoresMetric()])

    @property
    def scores(self) -> Scores:
        """Scores of the last validation."""
        found: Scores = self.val_loop.evaluator.metrics[0].scores
        return found


def train(
    design: Design,
    recipe: Recipe,
    folder: SegmentationFolder,
    out: Path,
    *,
    seed: int = 0,
    workers: int = 4,
    precision: str = "float32",
    checkpoint: Path | None = None,
    source: Design | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a network; an interrupted training goes on from its last checkpoint.

    On a CPU it then gives the same bits as one that was not interrupted. Under `torchrun` the processes share the
    batch, and where the recipe says so BatchNorm is that of the joint batch. `out` gets the configuration
    (`config.py`), mmengine's logs and checkpoints, `weights.pt` and `result.json`.

    Args:
        design: The network; its number of classes becomes the data's.
        recipe: The training.
        folder: The data set.
        out: Folder of this training.
        seed: Of initialisation, data order and augmentation.
        workers: Processes per device that load data.
        precision: float32, or bfloat16 for automatic mixed precision, which needs CUDA.
        checkpoint: Weights to start from, such as a released ImageNet backbone.
        source: The design that these belong to, if not `design`; they are sliced.
        progress: Called after every update with the updates done and all of them.

    Returns:
        The content of `result.json`: mIoU, aAcc, mAcc and IoU by class in percent, and the settings.

    Raises:
        StudyError: `out` holds another training, or the machine cannot do what is asked for.
        DataError: The folder lacks something, or a file in it cannot be read.
        CheckpointError: The weights do not fit, or the checkpoint to go on from cannot be read.
        EvaluationError: The loss is not finite, memory runs out, or another process of the training ended.
        StorageError: The disk does not take a checkpoint.
    """
    if precision != "float32" and not torch.cuda.is_available():
        raise StudyError(f"precision {precision} needs a CUDA device; accepted here: float32")
    check_ready(folder)
    design = replace(design, num_classes=folder.num_classes)
    start = partial(_write_initial, checkpoint, source or design, design, seed) if checkpoint else None
    settings = mmengine_configuration(
        design,
        recipe,
        replace(folder, root=folder.root.resolve()),
        seed=seed,
        devices=world_size(),
        workers=workers,
        precision=precision,
        initial=str((out / INITIAL).resolve()) if start else None,
    )
    with joined_processes(), without_trace():
        prepare(out, as_python(settings), LOGS, start)
        probe = Probe(design=design, height=recipe.crop[0], width=recipe.crop[1], precision=precision)
        scores, weights = explained(
            lambda: _run(settings, out / LOGS, progress), probe, batch=recipe.batch // world_size()
        )
    about = {"recipe": asdict(recipe), "seed": seed, "iterations": recipe.iterations}
    result = {**as_json(scores, folder.classes), **about}
    if rank() == 0:
        write_tensors(out / WEIGHTS, weights)
        write_json(out / RESULT, result)
    return result


def _write_initial(checkpoint: Path, source: Design, design: Design, seed: int, initial: Path) -> None:
    """The weights under mmsegmentation's names, and where they come from."""
    state, start = starting_weights(checkpoint, source, design, seed=seed)
    write_json(initial.with_name(START), start.to_json())
    write_tensors(initial, {"state_dict": to_segmentor_state(state)})


def _run(settings: Mapping[str, Any], work: Path, progress: Progress | None) -> tuple[Scores, dict[str, torch.Tensor]]:
    resumed = last_checkpoint(work)
    changes = {"load_from": str(resumed), "resume": True} if resumed else {}
    launcher = "pytorch" if is_initialized() else "none"
    # mmengine keeps loggers and histories by name for the life of the process.
    name = {"experiment_name": f"training-{os.getpid()}-{work.resolve()}".replace("/", "-")}
    whole = {**settings, **changes, **name, "work_dir": str(work), "launcher": launcher}
    with warnings.catch_warnings():
        # mmengine and mmsegmentation warn of their own defaults and of torch's deprecations.
        warnings.simplefilter("ignore")
        # Formatting its text, which mmengine does at every checkpoint, takes about a second.
        runner = _Runner.from_cfg(Config(whole, format_python_code=False))
        for hook in (FiniteLossHook(), *([ProgressHook(progress)] if progress else [])):
            runner.register_hook(hook)
        _to_the_end(runner)
    model = getattr(runner.model, "module", runner.model)
    state = {k: v.cpu() for k, v in model.state_dict().items() if not k.startswith("data_preprocessor.")}
    return runner.scores, from_segmentor_state(state)


def _to_the_end(runner: _Runner) -> None:
    try:
        runner.train()
        if not hasattr(runner.val_loop.evaluator.metrics[0], "scores"):
            # The training had been stopped between its last update and its last validation.
            runner.val()
    finally:
        for handler in runner.logger.handlers:
            handler.close()

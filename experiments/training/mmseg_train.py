"""A full training through mmsegmentation, run from the configuration that is written beside it."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from experiments.data.datasets import SegmentationFolder
from experiments.evaluators.base import Progress
from experiments.evaluators.mmseg import last_checkpoint
from experiments.evaluators.mmseg_run import FileRunner, FiniteLossHook, ProgressHook, ScoresMetric
from experiments.evaluators.results import WEIGHTS, replacing, write_json
from experiments.evaluators.scores import Scores
from experiments.training.configuration import as_python, mmengine_configuration
from experiments.training.recipes import Recipe
from experiments.training.weights import starting_weights
from topformer.design import Design
from topformer.errors import StudyError
from topformer.mmseg import from_segmentor_state, quiet, to_segmentor_state

with quiet():
    from mmengine.config import Config
    from mmengine.evaluator import Evaluator

CONFIGURATION = "config.py"
RESULT = "result.json"
INITIAL = "initial.pth"
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

    Under `torchrun` the batch is shared by the processes, on CUDA with synchronised BatchNorm. `out` gets the
    configuration (`config.py`), mmengine's logs and checkpoints, `weights.pt` and `result.json`.

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
        DataError: The folder lacks something.
        CheckpointError: The weights do not fit.
        EvaluationError: The loss is not finite.
    """
    if precision != "float32" and not torch.cuda.is_available():
        raise StudyError(f"precision {precision} needs a CUDA device; accepted here: float32")
    design = replace(design, num_classes=folder.num_classes)
    initial = (out / INITIAL).resolve() if checkpoint else None
    devices = int(os.environ.get("WORLD_SIZE", "1"))
    settings = mmengine_configuration(
        design,
        recipe,
        replace(folder, root=folder.root.resolve()),
        seed=seed,
        devices=devices,
        workers=workers,
        precision=precision,
        initial=str(initial) if initial else None,
    )
    _claim(out, as_python(settings))
    if checkpoint and initial and not initial.exists():
        with replacing(initial) as fresh:
            state = starting_weights(checkpoint, source or design, design, seed=seed)
            torch.save({"state_dict": to_segmentor_state(state)}, fresh)
    with warnings.catch_warnings():
        # mmengine and mmsegmentation warn of their own defaults and of torch's deprecations.
        warnings.simplefilter("ignore")
        scores, weights = _run(settings, out / LOGS, progress)
    about = {"recipe": asdict(recipe), "seed": seed, "iterations": recipe.iterations}
    result = {**as_json(scores, folder.classes), **about}
    if int(os.environ.get("RANK", "0")) == 0:
        with replacing(out / WEIGHTS) as fresh:
            torch.save(weights, fresh)
        write_json(out / RESULT, result)
    return result


def _claim(out: Path, text: str) -> None:
    """Write the configuration, or find the same there."""
    out.mkdir(parents=True, exist_ok=True)
    known = out / CONFIGURATION
    if not known.exists():
        with replacing(known) as fresh:
            fresh.write_text(text, encoding="utf-8")
        return
    pairs = zip(known.read_text(encoding="utf-8").splitlines(), text.splitlines(), strict=False)
    differing = next(((old, new) for old, new in pairs if old != new), None)
    if differing or len(known.read_text(encoding="utf-8")) != len(text):
        old, new = differing or ("another length", "")
        raise StudyError(f"{out} holds another training: {old.strip()}, not {new.strip()}; choose another --out")


def _run(settings: Mapping[str, Any], work: Path, progress: Progress | None) -> tuple[Scores, dict[str, torch.Tensor]]:
    work.mkdir(parents=True, exist_ok=True)
    resumed = last_checkpoint(work)
    changes = {"load_from": str(resumed), "resume": True} if resumed else {}
    launcher = "pytorch" if "LOCAL_RANK" in os.environ else "none"
    # mmengine keeps loggers and histories by name for the life of the process.
    name = {"experiment_name": f"training-{os.getpid()}-{work.resolve()}".replace("/", "-")}
    whole = {**settings, **changes, **name, "work_dir": str(work), "launcher": launcher}
    # Formatting its text, which mmengine does at every checkpoint, takes about a second.
    runner = _Runner.from_cfg(Config(whole, format_python_code=False))
    runner.register_hook(FiniteLossHook())
    if progress:
        runner.register_hook(ProgressHook(progress))
    try:
        runner.train()
        if not hasattr(runner.val_loop.evaluator.metrics[0], "scores"):
            # The training had been stopped between its last update and its last validation.
            runner.val()
    finally:
        for handler in runner.logger.handlers:
            handler.close()
    model = getattr(runner.model, "module", runner.model)
    state = {k: v.cpu() for k, v in model.state_dict().items() if not k.startswith("data_preprocessor.")}
    return runner.scores, from_segmentor_state(state)


def as_json(scores: Scores, classes: tuple[str, ...]) -> dict[str, Any]:
    """Scores in percent as plain JSON; the IoU of a class that occurs nowhere is null."""
    named = zip(classes, scores.per_class, strict=True)
    per_class = {name: None if value != value else value for name, value in named}
    return {"miou": scores.miou, "aacc": scores.aacc, "macc": scores.macc, "per_class": per_class}

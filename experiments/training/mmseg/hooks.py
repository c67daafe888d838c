"""One training with mmsegmentation: its runner, built in code, with our data, metric and hooks."""

import time
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.data.folders import SegmentationFolder
from experiments.evaluators.base import Progress
from experiments.training.mmseg.data import build_dataset
from experiments.training.mmseg.draws import EndlessSampler, ReseedHook
from experiments.training.mmseg.runner import FileRunner
from experiments.training.optimizer import build_optimizer
from experiments.training.outcome import TRAINING, VALIDATION, not_finite
from experiments.training.schedule import WARMUP_START
from experiments.training.scores import Scores, scores_of_areas
from experiments.training.settings import MmsegSettings, scale_of
from search_space.candidate import Candidate
from topformer.errors import StudyError
from topformer.mmseg import quiet, segmentor, to_segmentor_state
from topformer.network import TopFormer

with quiet():
    from mmengine.dist import broadcast_object_list
    from mmengine.hooks import Hook
    from mmengine.optim import AmpOptimWrapper, OptimWrapper
    from mmseg.evaluation import IoUMetric

SIZE_DIVISOR = 32
"""Validation images are enlarged to multiples of it, as in the release."""


class ScoresMetric(IoUMetric):  # type: ignore[misc]
    """mmsegmentation's IoUMetric, which also keeps its numbers unrounded and by class in `scores`, in all processes."""

    scores: Scores

    def __init__(self, **settings: Any) -> None:
        # Several processes exchange their results by messages; the default writes them into the current folder.
        super().__init__(**{"collect_device": "gpu", **settings})

    def evaluate(self, size: int) -> dict[str, float]:
        """IoUMetric's results."""
        found: dict[str, float] = super().evaluate(size)
        held = [getattr(self, "scores", None)]
        broadcast_object_list(held)
        assert held[0] is not None
        self.scores = held[0]
        return found

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """IoUMetric's results."""
        images = zip(*results, strict=True)
        right, _, predicted, labelled = (np.sum([np.asarray(a, np.int64) for a in kind], axis=0) for kind in images)
        self.scores = scores_of_areas(right, labelled, predicted)
        return super().compute_metrics(results)  # type: ignore[no-any-return]


class FiniteLossHook(Hook):  # type: ignore[misc]
    """Ends a training whose loss is not finite with an EvaluationError that names the update and its images."""

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Check one update."""
        loss = outputs["loss"].item() if outputs else float("nan")
        if not isfinite(loss):
            images = [sample.img_path for sample in data_batch["data_samples"]]
            raise not_finite(loss, batch_idx + 1, runner.max_iters, images)


class ProgressHook(Hook):  # type: ignore[misc]
    """Tells the caller about every update."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,  # noqa: ARG002
        outputs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Report one update."""
        self.progress(batch_idx + 1, runner.max_iters)


class ValidationHook(Hook):  # type: ignore[misc]
    """Hands over the scores of every validation, with the updates done."""

    def __init__(self, metric: ScoresMetric, receive: Callable[[int, Scores], None]) -> None:
        self.metric = metric
        self.receive = receive

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Hand over one."""
        self.receive(runner.iter, self.metric.scores)


def build_runner(
    folder: SegmentationFolder,
    settings: MmsegSettings,
    candidate: Candidate,
    *,
    budget: int,
    seed: int,
    work: Path,
    resume_from: Path | None,
    hooks: Sequence[Hook],
    metric: ScoresMetric,
) -> FileRunner:
    """The runner of one training; `train()` runs it.

    Args:
        folder: The data set.
        settings: The recipe.
        candidate: The network and its input size, with the folder's number of classes.
        budget: Iterations.
        seed: Of initialisation, data order and augmentation.
        work: Folder for logs and checkpoints.
        resume_from: Checkpoint to go on from.
        hooks: Hooks beside mmengine's own.
        metric: What scores the validation split.

    Raises:
        StudyError: bfloat16 is asked for without a CUDA device.
    """
    model = _model(candidate, settings, seed)
    size = (candidate.height, candidate.width)
    train_set = build_dataset(folder, TRAINING, training_pipeline(settings, *size))
    val_set = build_dataset(folder, VALIDATION, validation_pipeline(*size))
    workers = {"num_workers": settings.workers, "persistent_workers": settings.workers > 0}
    every = {"by_epoch": False, "interval": settings.checkpoint_every}
    return FileRunner(
        model=model,
        work_dir=str(work),
        train_dataloader={
            "dataset": train_set,
            "batch_size": settings.batch,
            "sampler": EndlessSampler(train_set, seed),
            **workers,
        },
        val_dataloader={
            "dataset": val_set,
            "batch_size": 1,
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            **workers,
        },
        train_cfg={
            "type": "IterBasedTrainLoop",
            "max_iters": budget,
            "val_interval": max(1, budget // settings.validations),
        },
        val_cfg={"type": "ValLoop"},
        val_evaluator=[metric],
        optim_wrapper=_optimizer(model, settings),
        param_scheduler=schedulers(settings, budget),
        # Two checkpoints: mmengine removes the older one before it has written the newer.
        default_hooks={"checkpoint": {"type": "CheckpointHook", "max_keep_ckpts": 2, **every}},
        custom_hooks=[ReseedHook(), *hooks],
        log_processor={"by_epoch": False},
        load_from=str(resume_from) if resume_from else None,
        resume=resume_from is not None,
        randomness={"seed": seed},
        default_scope="mmseg",
        # mmengine keeps loggers and histories by name for the life of the process.
        experiment_name=f"{candidate.fingerprint}-{time.time_ns()}",
    )


def training_pipeline(settings: MmsegSettings, height: int, width: int) -> list[dict[str, Any]]:
    """Load, resize, crop, flip, distort: what the settings ask for."""
    scales = (settings.smallest_scale, settings.largest_scale)
    resized = {"scale": scale_of(height, width), "ratio_range": scales, "keep_ratio": True}
    # A crop full of one class is drawn again where there is a choice of crops.
    share = 0.75 if scales != (1.0, 1.0) else 1.0
    return [
        {"type": "ReadImage"},
        {"type": "ReadLabel"},
        {"type": "RandomResize", **resized},
        {"type": "RandomCrop", "crop_size": (height, width), "cat_max_ratio": share},
        {"type": "RandomFlip", "prob": settings.flip},
        *([{"type": "PhotoMetricDistortion"}] if settings.distort else []),
        {"type": "PackSegInputs"},
    ]


def validation_pipeline(height: int, width: int) -> list[dict[str, Any]]:
    """The whole image at the candidate's size, its ratio kept; labels at their own size."""
    return [
        {"type": "ReadImage"},
        {"type": "Resize", "scale": scale_of(height, width), "keep_ratio": True},
        {"type": "ResizeToMultiple", "size_divisor": SIZE_DIVISOR},
        {"type": "ReadLabel"},
        {"type": "PackSegInputs"},
    ]


def schedulers(settings: MmsegSettings, budget: int) -> list[dict[str, Any]]:
    """Schedulers of mmengine whose chain is `experiments.training.schedule.learning_rate_factor`."""
    warmup = settings.warmup_updates(budget)
    rise = {"type": "LinearLR", "start_factor": WARMUP_START, "by_epoch": False, "begin": 0, "end": warmup + 1}
    # Both ends lie one behind, because mmengine reaches the last factor at `end - 1`.
    decay = {"type": "PolyLR", "power": settings.power, "eta_min": 0.0, "by_epoch": False, "begin": 0}
    return [*([rise] if warmup else []), {**decay, "end": budget + 1}]


def _model(candidate: Candidate, settings: MmsegSettings, seed: int) -> Any:
    """The segmentor, with the very weights that the lean loop starts from at the same seed."""
    drop = {"drop_path": settings.drop_path, "dropout": settings.dropout}
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        network = TopFormer(candidate.design, **drop)
        model = segmentor(candidate.design, height=candidate.height, width=candidate.width, **drop)
    model.load_state_dict(to_segmentor_state(network.state_dict()), strict=True)
    return model.to(memory_format=torch.channels_last)


def _optimizer(model: Any, settings: MmsegSettings) -> Any:
    optimizer = build_optimizer(model.backbone, model.decode_head, settings)
    if settings.precision == "float32":
        return OptimWrapper(optimizer)
    if not torch.cuda.is_available():
        raise StudyError(
            f"precision {settings.precision} needs a CUDA device with mmsegmentation; accepted here: float32"
        )
    return AmpOptimWrapper(dtype=settings.precision, optimizer=optimizer)

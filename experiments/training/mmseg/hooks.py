"""What looks on while mmengine trains: a loss that is not finite ends it, and the caller hears how far it is."""

import time
from math import isfinite
from pathlib import Path
from typing import Any

from experiments.training.outcome import Progress, not_finite
from experiments.training.processes import rank
from experiments.training.scores import Scores
from topformer.files import read_object, write_json
from topformer.mmseg import quiet

with quiet():
    from mmengine.hooks import Hook


class FiniteLossHook(Hook):  # type: ignore[misc]
    """Ends a training whose loss is not finite with an EvaluationError that names the iteration and its images."""

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,  # noqa: ARG002
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Check one iteration."""
        loss = outputs["loss"].item() if outputs else float("nan")
        if not isfinite(loss):
            images = [sample.img_path for sample in data_batch["data_samples"]]
            raise not_finite(loss, runner.iter + 1, runner.max_iters, images)


class ProgressHook(Hook):  # type: ignore[misc]
    """Tells the caller about every iteration."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,  # noqa: ARG002
        data_batch: Any = None,  # noqa: ARG002
        outputs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Report one iteration."""
        self.progress(runner.iter + 1, runner.max_iters)


class HistoryHook(Hook):  # type: ignore[misc]
    """mIoU of every validation and the seconds spent, in a file, from which a training that is resumed goes on.

    Attributes:
        last: Scores of the last validation of this process, if there was one.
        values: mIoU in percent by iterations done.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        stored: dict[str, Any] = read_object(path) if path.exists() else {"seconds": 0.0, "miou": {}}
        self.values = {int(done): float(value) for done, value in stored["miou"].items()}
        self.started: float = time.monotonic() - stored["seconds"]
        self.last: Scores | None = None

    @property
    def seconds(self) -> float:
        """Wall-clock time, that of interrupted processes included."""
        return time.monotonic() - self.started

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Keep the scores of one validation."""
        scores: Scores = runner.val_loop.evaluator.metrics[0].scores
        self.last = scores
        # A split without a labelled pixel has none; the training's end says so.
        if isfinite(scores.miou):
            self.values[runner.iter] = scores.miou
        self.save()

    def save(self) -> None:
        """Write the file."""
        if rank() == 0:
            write_json(self.path, {"seconds": self.seconds, "miou": self.values})

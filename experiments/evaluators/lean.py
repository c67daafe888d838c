"""The lean evaluator: a small training loop in plain torch, for thousands of short trials."""

import time
from pathlib import Path
from typing import Any

import torch

from experiments.data.datasets import SegmentationFolder
from experiments.evaluators.base import Accuracy, Progress
from experiments.evaluators.lean_data import Batches, Pixels, load_pixels
from experiments.evaluators.lean_training import CHECKPOINT, Training, seeded
from experiments.evaluators.memory import keep_freed_memory
from experiments.evaluators.results import TRAINING, VALIDATION, trained
from experiments.evaluators.scores import scores
from experiments.evaluators.settings import LeanSettings
from experiments.evaluators.training import TrainingEvaluator
from search_space.candidate import Candidate

KIND = "lean"


class LeanEvaluator(TrainingEvaluator):
    """Trains a candidate from scratch on a folder whose images all have one size.

    The same data, loss, schedule, grouping of parameters and metric as `MmsegEvaluator` on such a folder, without its
    per-image pipeline. Decoded splits stay in memory between evaluations. On a CPU an evaluation that was interrupted
    and resumed gives the same bits as one that was not.

    Args:
        folder: The data set, or its path.
        settings: The recipe.

    Raises:
        DataError: The folder is no data set, or its classes are not known.
    """

    kind = KIND

    def __init__(self, folder: SegmentationFolder | Path, settings: LeanSettings | None = None) -> None:
        self.settings = settings or LeanSettings()
        super().__init__(folder, self.settings)
        self._splits: dict[str, Pixels] = {}

    def _train(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None
    ) -> tuple[Accuracy, dict[str, Any]]:
        with seeded(seed, threads=self.settings.threads):
            training = self._training(candidate, budget=budget, seed=seed)
            if (folder / CHECKPOINT).exists():
                training.load(folder / CHECKPOINT)
            accuracy = self._run(training, folder, seed, progress)
        return accuracy, {name: value.cpu() for name, value in training.model.state_dict().items()}

    def _forget(self, folder: Path) -> None:
        (folder / CHECKPOINT).unlink(missing_ok=True)

    def _training(self, candidate: Candidate, *, budget: int, seed: int) -> Training:
        settings, device = self.settings, choose_device(self.settings.device)
        if device.type == "cpu":
            keep_freed_memory()
        batches = Batches(
            pixels=self._split(TRAINING, device),
            batch=settings.batch,
            seed=seed,
            height=candidate.height,
            width=candidate.width,
            flip=settings.flip,
            scales=(settings.smallest_scale, settings.largest_scale),
        )
        return Training(candidate.design, settings, batches, budget=budget, device=device)

    def _run(self, training: Training, folder: Path, seed: int, progress: Progress | None) -> Accuracy:
        validation = self._split(VALIDATION, training.device)
        started = time.monotonic() - training.seconds
        while training.update < training.budget:
            training.step()
            if training.update < training.budget and self.settings.is_validation(training.update, training.budget):
                training.history.append((training.update, scores(training.validate(validation)).miou))
            training.seconds = time.monotonic() - started
            if training.update % self.settings.checkpoint_every == 0:
                training.save(folder / CHECKPOINT)
            if progress is not None:
                progress(training.update, training.budget)
        final = scores(training.validate(validation))
        seconds = time.monotonic() - started
        return trained(self.folder, final, dict(training.history), budget=training.budget, seed=seed, seconds=seconds)

    def _split(self, split: str, device: torch.device) -> Pixels:
        if split not in self._splits:
            self._splits[split] = load_pixels(self.folder, split, device)
        return self._splits[split]


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` takes CUDA where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)

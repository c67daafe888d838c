"""The lean evaluator: a small training loop in plain torch, for thousands of short trials."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch

from experiments.data.folders import SegmentationFolder
from experiments.evaluators.base import Accuracy, Progress
from experiments.evaluators.training import TrainingEvaluator
from experiments.training.lean.batches import Batches, Pixels
from experiments.training.lean.crops import Crops
from experiments.training.lean.data import load_split
from experiments.training.lean.loop import CHECKPOINT, Training, seeded
from experiments.training.lean.pixels import Mixed
from experiments.training.malloc import keep_freed_memory
from experiments.training.outcome import TRAINING, VALIDATION, trained
from experiments.training.processes import choose_device
from experiments.training.scores import scores
from experiments.training.settings import LeanSettings, scale_of
from search_space.candidate import Candidate

KIND = "lean"


class LeanEvaluator(TrainingEvaluator):
    """Trains a candidate from scratch on a folder.

    The same data, loss, schedule, grouping of parameters and metric as `MmsegEvaluator`, without its per-image
    pipeline. Images of one size are resized to the candidate's input and perhaps cropped; where sizes differ, or
    colours are to be distorted, batches follow the steps of mmsegmentation's pipeline, see `lean_crops.Crops`. Decoded
    splits stay in memory between evaluations. On a CPU an evaluation that was interrupted and resumed gives the same
    bits as one that was not.

    Args:
        folder: The data set, or its path.
        settings: The recipe.
        cache: Folder of decoded files for splits whose images differ in size; in memory without one.

    Raises:
        DataError: The folder is no data set, or its classes are not known.
    """

    kind = KIND

    def __init__(
        self, folder: SegmentationFolder | Path, settings: LeanSettings | None = None, cache: Path | None = None
    ) -> None:
        self.settings = settings or LeanSettings()
        super().__init__(folder, self.settings)
        self._cache = cache
        self._splits: dict[str, Pixels | Mixed] = {}

    @classmethod
    def read(cls, folder: SegmentationFolder | Path, settings: Mapping[str, Any]) -> Self:
        """The evaluator of a table of a study file; errors as in `LeanSettings.read` and above."""
        return cls(folder, LeanSettings.read(settings))

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
        batches = self._batches(self._split(TRAINING, device), candidate.height, candidate.width, seed)
        return Training(candidate.design, settings, batches, budget=budget, device=device)

    def _batches(self, split: Pixels | Mixed, height: int, width: int, seed: int) -> Batches | Crops:
        settings = self.settings
        common: dict[str, Any] = {
            "batch": settings.batch,
            "seed": seed,
            "height": height,
            "width": width,
            "flip": settings.flip,
        }
        factors = (settings.smallest_scale, settings.largest_scale)
        if isinstance(split, Pixels):
            return Batches(pixels=split, scales=factors, **common)
        return Crops(
            pixels=split,
            scale=scale_of(height, width),
            factors=factors,
            # A crop full of one class is drawn again where there is a choice of crops, as in `mmseg_run`.
            share=0.75 if factors != (1.0, 1.0) else 1.0,
            distort=settings.distort,
            **common,
        )

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

    def _split(self, split: str, device: torch.device) -> Pixels | Mixed:
        if split not in self._splits:
            stacked = not (self.settings.distort and split == TRAINING)
            self._splits[split] = load_split(self.folder, split, device, self._cache, stacked=stacked)
        return self._splits[split]

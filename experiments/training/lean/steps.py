"""What every training of the lean loop does alike: its iterations, its check of the loss, and its checkpoint."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.training.lean.batches import Batches
from experiments.training.lean.crops import Crops
from experiments.training.optimizer import set_learning_rate
from experiments.training.outcome import Progress, not_finite
from experiments.training.recipes import Recipe
from experiments.training.tensors import reading, write_tensors

_CHECK_EVERY = 20
"""Iterations between two looks at the loss where a look costs time."""


class Steps(ABC):
    """A training by iterations, which are counted from 0; `iteration` of them are done.

    Draws from torch's global generator (dropout and stochastic depth know no other); see `seeded`.

    Args:
        recipe: The training.
        batches: Training batches by iteration.
        device: Where it runs.
        check_every: Iterations between two looks at the loss; every one by default, and fewer where a look costs time.
    """

    optimizer: torch.optim.Optimizer

    def __init__(
        self, recipe: Recipe, batches: Batches | Crops, *, device: torch.device, check_every: int | None = None
    ) -> None:
        self.recipe, self.batches, self.device = recipe, batches, device
        self._losses = torch.zeros((), device=device)
        self._check_every = check_every or (1 if device.type == "cpu" else _CHECK_EVERY)
        self.iteration = 0
        self.history: list[tuple[int, float]] = []
        self.seconds = self.cpu_seconds = 0.0

    @abstractmethod
    def learn(self, images: Tensor, labels: Tensor) -> None:
        """Leave the gradients of a batch: images (B, 3, H, W) and labels (B, H, W); each loss goes to `descend`."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """What is trained, by name."""

    @abstractmethod
    def take(self, tensors: dict[str, Tensor]) -> None:
        """Take what `tensors` gave."""

    def step(self) -> None:
        """One iteration.

        Raises:
            EvaluationError: The loss is not finite.
        """
        set_learning_rate(self.optimizer, self.recipe, self.iteration)
        images, labels = self.batches[self.iteration]
        self.optimizer.zero_grad(set_to_none=True)
        self.learn(images, labels)
        self.optimizer.step()
        self.iteration += 1

    def descend(self, loss: Tensor) -> None:
        """Add the gradients of a loss.

        Raises:
            EvaluationError: It is not finite.
        """
        self._losses += loss.detach()
        if self.iteration % self._check_every == 0:
            self.check(self.iteration + 1)
        loss.backward()  # type: ignore[no-untyped-call]

    def check(self, iteration: int) -> None:
        """The losses since the last check are finite; to ask a GPU means to wait for it.

        Raises:
            EvaluationError: They are not.
        """
        value = float(self._losses)
        self._losses.zero_()
        if not isfinite(value):
            raise not_finite(value, iteration, self.recipe.iterations)

    def run(
        self,
        checkpoint: Path,
        *,
        every: int,
        until: int | None = None,
        score: Callable[[], float] | None = None,
        progress: Progress | None,
    ) -> None:
        """All iterations that are left.

        Args:
            checkpoint: File to go on from after an interruption.
            every: Iterations between two checkpoints.
            until: Iterations after which it stops before the end of the schedule, to go on from there another time.
            score: Gives the mIoU in percent that `history` keeps, where the recipe asks for a validation meanwhile.
            progress: Called after every iteration with the iterations done and all of them.

        Raises:
            EvaluationError: The loss is not finite.
            StorageError: The checkpoint cannot be written.
        """
        iterations = min(until or self.recipe.iterations, self.recipe.iterations)
        started, cpu_started = time.monotonic() - self.seconds, time.process_time() - self.cpu_seconds
        while self.iteration < iterations:
            self.step()
            if score is not None and self.iteration < iterations and self.recipe.is_validation(self.iteration):
                self.history.append((self.iteration, score()))
            self.seconds, self.cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
            if self.iteration % every == 0 or self.iteration == iterations < self.recipe.iterations:
                self.save(checkpoint)
            if progress is not None:
                progress(self.iteration, iterations)
        self.check(iterations)

    def save(self, path: Path) -> None:
        """Write everything that an exact continuation needs, in one step.

        Raises:
            EvaluationError: The loss is not finite.
            StorageError: The disk does not take it.
        """
        self.check(self.iteration)
        state: dict[str, Any] = {
            "model": self.tensors(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "iteration": self.iteration,
            "history": self.history,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
        }
        write_tensors(path, state)

    def load(self, path: Path) -> None:
        """Go on where `save` was called.

        Raises:
            StorageError: The file cannot be read.
        """
        with reading(path) as state:
            self.take(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["random"])
            if state["random_cuda"] is not None and self.device.type == "cuda":
                torch.cuda.set_rng_state(state["random_cuda"], self.device)
            self.iteration, self.seconds = state["iteration"], state["seconds"]
            # Checkpoints of older versions do not say it.
            self.cpu_seconds = state.get("cpu_seconds", 0.0)
            self.history = [(iteration, miou) for iteration, miou in state["history"]]

"""One training of the lean loop: its state, its step, its validation, and its checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from experiments.data.folders import IGNORED
from experiments.training.lean.batches import Batches, Pixels, normalised, resized
from experiments.training.lean.compile import compiled
from experiments.training.lean.crops import Crops
from experiments.training.lean.pixels import Mixed
from experiments.training.lean.resize import into, resized_bytes, to_multiple
from experiments.training.lean.units import adopt
from experiments.training.optimizer import build_optimizer, set_learning_rate
from experiments.training.outcome import not_finite
from experiments.training.recipes import Recipe
from experiments.training.scores import Confusion, confusion
from experiments.training.tensors import reading, write_tensors
from topformer.design import Design
from topformer.errors import EvaluationError
from topformer.network import TopFormer

_CHECK_EVERY = 20
"""Iterations between two looks at the loss where a look costs time."""


class Training:
    """A network under training; iterations are counted from 0 and `iteration` of them are done.

    Draws from torch's global generator (dropout and stochastic depth know no other); see `seeded`.

    Args:
        design: The network.
        recipe: The training.
        batches: Training batches by iteration.
        device: Where it runs.
        compiler: What compiles the network, see `Machine.compile`.
        check_every: Iterations between two looks at the loss; every one by default, and fewer where a look costs time.
    """

    def __init__(
        self,
        design: Design,
        recipe: Recipe,
        batches: Batches | Crops,
        *,
        device: torch.device,
        compiler: str = "none",
        check_every: int | None = None,
    ) -> None:
        model = TopFormer(design, drop_path=recipe.drop_path, dropout=recipe.dropout)
        # Channels last: 1.4 to 1.9 times the speed on one CPU core in three noisy runs; GPUs want it too.
        self.model: TopFormer = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if device.type == "cpu" and recipe.precision == "float32" and compiler == "none":
            adopt(self.model)
        self.forward = compiled(self.model, compiler, device)
        self.optimizer = build_optimizer(self.model.backbone, self.model.head, recipe)
        self.recipe, self.batches, self.device = recipe, batches, device
        self._losses = torch.zeros((), device=device)
        self._check_every = check_every or (1 if device.type == "cpu" else _CHECK_EVERY)
        self.iteration = 0
        self.history: list[tuple[int, float]] = []
        self.seconds = self.cpu_seconds = 0.0

    def step(self) -> None:
        """One iteration.

        Raises:
            EvaluationError: The loss is not finite.
        """
        set_learning_rate(self.optimizer, self.recipe, self.iteration)
        images, labels = self.batches[self.iteration]
        with self._precision():
            logits = self.forward(images)
        loss = pixel_loss(logits.float(), labels, self.recipe.loss_stride)
        self._losses += loss.detach()
        if self.iteration % self._check_every == 0:
            self.check(self.iteration + 1)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.iteration += 1

    def check(self, iteration: int) -> None:
        """The losses since the last check are finite; to ask a GPU means to wait for it.

        Raises:
            EvaluationError: They are not.
        """
        value = float(self._losses)
        self._losses.zero_()
        if not isfinite(value):
            raise not_finite(value, iteration, self.recipe.iterations)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    @torch.inference_mode()
    def validate(self, split: Pixels | Mixed) -> Confusion:
        """Confusion matrix of a whole split, at the resolution of its labels.

        Stacked images are resized to the network's input, as they are trained; others as mmsegmentation does it: one by
        one, ratio kept, to multiples of the recipe's divisor.

        Raises:
            EvaluationError: The network gives logits that are not finite.
        """
        self.model.eval()
        classes = self.model.design.num_classes
        counts = np.zeros((classes, classes), np.int64)
        for inputs, labels in self._whole(split) if isinstance(split, Mixed) else self._stacked(split):
            predicted = self._predicted(inputs, labels.shape[1:])
            counts = counts + confusion(labels.cpu().numpy(), predicted.cpu().numpy(), classes)
        self.model.train()
        return counts

    def _stacked(self, split: Pixels) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(split), self.recipe.batch):
            part = slice(start, start + self.recipe.batch)
            yield resized(normalised(split.images[part]), self.batches.height, self.batches.width), split.labels[part]

    def _whole(self, split: Mixed) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(len(split)):
            image, labels = split.image(number)
            size = into(labels.shape[0], labels.shape[1], *self.recipe.evaluation_scale)
            # Twice, because mmsegmentation rounds to bytes in between.
            image = resized_bytes(
                resized_bytes(image, *size), *(to_multiple(n, self.recipe.size_divisor) for n in size)
            )
            yield normalised(image[None]).to(self.device), labels[None]

    def _predicted(self, inputs: Tensor, size: tuple[int, ...]) -> Tensor:
        logits = self.model(inputs)
        if not logits.isfinite().all():
            raise EvaluationError(f"the network gives logits that are not finite after {self.iteration} iterations")
        # To the input size first, then to the label's, as mmsegmentation does it.
        return upsampled(upsampled(logits, (inputs.shape[2], inputs.shape[3])), (size[0], size[1])).argmax(dim=1)

    def save(self, path: Path) -> None:
        """Write everything that an exact continuation needs, in one step.

        Raises:
            EvaluationError: The loss is not finite.
        """
        self.check(self.iteration)
        state = {
            "model": self.model.state_dict(),
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
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["random"])
            if state["random_cuda"] is not None and self.device.type == "cuda":
                torch.cuda.set_rng_state(state["random_cuda"], self.device)
            self.iteration, self.seconds = state["iteration"], state["seconds"]
            self.cpu_seconds = state.get("cpu_seconds", 0.0)
            self.history = [(iteration, miou) for iteration, miou in state["history"]]


@contextmanager
def seeded(seed: int, *, threads: int) -> Iterator[None]:
    """Torch's generators at `seed` and its threads at `threads`; both are put back at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)


def pixel_loss(logits: Tensor, labels: Tensor, stride: int = 1) -> Tensor:
    """Cross-entropy at label resolution, summed over the labelled pixels and divided by all, as in mmsegmentation.

    The gradient can be asked for once.

    Args:
        logits: (B, K, h, w).
        labels: (B, H, W) class numbers, 255 = ignored.
        stride: Only every stride-th row and column of the labels counts; what counts is computed as without it.
    """
    first = stride // 2
    chosen = labels[:, first::stride, first::stride].long()
    rows = _weights(logits.shape[2], labels.shape[1], logits.device)[first::stride]
    columns = _weights(logits.shape[3], labels.shape[2], logits.device)[first::stride]
    loss: Tensor = _PixelLoss.apply(  # type: ignore[no-untyped-call]
        logits, chosen, rows.to(logits.dtype), columns.to(logits.dtype)
    )
    return loss


class _PixelLoss(torch.autograd.Function):
    """Upsampling by two matrices (H, h) and (W, w) and cross-entropy; the backward pass overwrites what it was left."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        whole_BKHW = rows @ (logits.contiguous() @ columns.T)
        counted_B1HW = (labels != IGNORED)[:, None]
        target_B1HW = labels[:, None] * counted_B1HW
        # The largest logit is taken off, so that the exponential is finite.
        whole_BKHW.sub_(whole_BKHW.amax(1, keepdim=True))
        right_B1HW = whole_BKHW.gather(1, target_B1HW)
        total_B1HW = whole_BKHW.exp_().sum(1, keepdim=True)
        weight_B1HW = counted_B1HW / (total_B1HW * labels.numel())
        ctx.save_for_backward(whole_BKHW, weight_B1HW, counted_B1HW, target_B1HW, rows, columns)
        return ((total_B1HW.log() - right_B1HW) * counted_B1HW).sum() / labels.numel()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        exponential_BKHW, weight_B1HW, counted_B1HW, target_B1HW, rows, columns = ctx.saved_tensors
        pull_BKHW = exponential_BKHW.mul_(weight_B1HW)
        pull_BKHW.scatter_add_(1, target_B1HW, counted_B1HW.to(pull_BKHW.dtype) / -counted_B1HW.numel())
        return (rows.T @ (pull_BKHW @ columns)) * grad, None, None, None


def upsampled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B, K, h, w) at another size, bilinear without aligned corners, as two matrix products.

    The same numbers as `functional.interpolate` up to rounding.
    """
    if maps.shape[2:] == size:
        return maps
    rows = _weights(maps.shape[2], size[0], maps.device).to(maps.dtype)
    columns = _weights(maps.shape[3], size[1], maps.device).to(maps.dtype)
    return rows @ (maps.contiguous() @ columns.T)


@lru_cache(maxsize=64)
def _weights(source: int, target: int, device: torch.device) -> Tensor:
    """(target, source) weights of a linear interpolation."""
    with torch.inference_mode(mode=False):
        eye = torch.eye(source)[None]
        return functional.interpolate(eye, size=target, mode="linear", align_corners=False)[0].T.contiguous().to(device)

"""One pre-training: its state, its step, its validation, and its checkpoint."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from experiments.training.classification.data import Batch
from experiments.training.classification.recipes import PretrainRecipe
from experiments.training.classification.schedule import build_optimizer, learning_rate
from experiments.training.lean.batches import normalised
from experiments.training.outcome import not_finite
from experiments.training.processes import Ranks
from experiments.training.tensors import reading, write_tensors
from topformer.classification import TopFormerClassifier
from topformer.design import Design
from topformer.errors import EvaluationError

_SHOWN = 4
_DRAWS = 0x9E3779B9
"""Between the seeds of two iterations; an odd number, so that all are different."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopK:
    """Accuracies on the validation images, in percent."""

    top1: float
    top5: float

    @classmethod
    def of(cls, first: int, five: int, images: int) -> Self:
        """From numbers of images: right at first, right among the first five, all."""
        return cls(top1=100 * first / images, top5=100 * five / images)


class Pretraining:
    """A classifier under training; iterations are counted from 0 and `iteration` of them are done.

    What a network draws (dropout, stochastic depth) is a function of seed, iteration and process: no generator's state
    has to be kept, and several processes resume as exactly as one.

    Args:
        design: The network.
        recipe: The training.
        classes: Number of classes.
        per_epoch: Iterations of an epoch.
        seed: Of initialisation and draws.
        ranks: This process.
        precision: float32, or bfloat16 for automatic mixed precision.
    """

    def __init__(
        self,
        design: Design,
        recipe: PretrainRecipe,
        *,
        classes: int,
        per_epoch: int,
        seed: int,
        ranks: Ranks,
        precision: str = "float32",
    ) -> None:
        torch.manual_seed(seed)
        model = TopFormerClassifier(
            design,
            classes=classes,
            drop_path=recipe.drop_path,
            dropout=recipe.dropout,
            pool_stride=recipe.pool_stride,
        )
        self.model: TopFormerClassifier = model.to(ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = AveragedModel(self.model, multi_avg_fn=_averaging(recipe.ema_decay), use_buffers=True)
        self.optimizer = build_optimizer(self.model, recipe)
        self.shared: nn.Module = self.model
        if ranks.world > 1:
            ids = [ranks.device.index] if ranks.device.type == "cuda" else None
            self.shared = nn.parallel.DistributedDataParallel(self.model, device_ids=ids)
        self.recipe, self.per_epoch, self.seed, self.ranks, self.precision = recipe, per_epoch, seed, ranks, precision
        self.iteration = 0
        self.history: list[dict[str, float]] = []

    @property
    def iterations(self) -> int:
        """Iterations in all."""
        return self.recipe.epochs * self.per_epoch

    def step(self, batch: Batch) -> float:
        """One iteration.

        Returns:
            The loss of this process's share of the batch.

        Raises:
            EvaluationError: The loss is not finite.
        """
        torch.manual_seed((self.seed + 1) * _DRAWS + self.iteration * self.ranks.world + self.ranks.rank)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.iteration / self.per_epoch, seed=self.seed)
        with torch.autocast(self.ranks.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits = self.shared(normalised(batch.images.to(self.ranks.device, non_blocking=True)))
        labels = batch.labels.to(self.ranks.device, non_blocking=True)
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)
        if not isfinite(value := loss.item()):
            raise self._not_finite(value, batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.averaged.update_parameters(self.model)
        self.iteration += 1
        return value

    def _not_finite(self, loss: float, batch: Batch) -> EvaluationError:
        files = ", ".join(str(path) for path in batch.files[:_SHOWN])
        more = f" and {len(batch.files) - _SHOWN} more" if len(batch.files) > _SHOWN else ""
        return not_finite(loss, self.iteration + 1, self.iterations, [files + more])

    @torch.inference_mode()
    def validate(self, batches: Iterable[Batch]) -> tuple[TopK, TopK]:
        """Accuracies of the last and of the averaged weights, on all processes' validation images together.

        All processes score with the BatchNorm statistics of the first, which are the ones that are kept.

        Raises:
            EvaluationError: A network gives logits that are not finite.
        """
        models = (self.model.eval(), self.averaged.eval())
        for scored in models:
            self.ranks.share_buffers(scored)
        counts = torch.zeros(len(models), 3, dtype=torch.int64, device=self.ranks.device)
        for batch in batches:
            images, labels = normalised(batch.images.to(self.ranks.device)), batch.labels.to(self.ranks.device)
            for row, model in zip(counts, models, strict=True):
                row += _counted(self._checked(model(images)), labels)
        self.model.train()
        last, averaged = (TopK.of(*row) for row in self.ranks.summed(counts).tolist())
        return last, averaged

    def _checked(self, logits: Tensor) -> Tensor:
        if not logits.isfinite().all():
            raise EvaluationError(f"the network gives logits that are not finite after {self.iteration} iterations")
        return logits

    def save(self, path: Path) -> None:
        """Write everything that an exact continuation needs, in one step."""
        state = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            # The word of the files that earlier versions wrote.
            "update": self.iteration,
            "history": self.history,
        }
        write_tensors(path, state)

    def load(self, path: Path) -> None:
        """Go on where `save` was called.

        Raises:
            StorageError: The file cannot be read.
        """
        with reading(path) as state:
            self.model.load_state_dict(state["model"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.iteration, self.history = state["update"], state["history"]


def _counted(logits: Tensor, labels: Tensor) -> Tensor:
    """Images whose class is the first, and among the first five; and all."""
    best = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
    return torch.stack([best[:, 0].sum(), best.any(dim=1).sum(), best.new_tensor(len(labels), dtype=torch.int64)])


def _averaging(decay: float) -> Any:
    """An exponential moving average of weights and BN statistics, whose decay rises to `decay` in short trainings."""

    def average(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        n = float(count)
        # As TensorFlow's `num_updates` has it: without it, 0.9999 would still hold the initial weights after an hour.
        weight = 1 - min(decay, (1 + n) / (10 + n))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, weight)
        else:
            torch._foreach_copy_(averaged, current)

    return torch.no_grad()(average)

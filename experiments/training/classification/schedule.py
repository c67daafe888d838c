"""Learning rate and optimizers of pre-training."""

from collections.abc import Callable, Iterable
from math import cos, floor, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from experiments.training.classification.recipes import Optimizer, PretrainRecipe, Schedule

_NOISE = 3
"""First number of the seed of the learning rate's noise."""


def learning_rate(recipe: PretrainRecipe, epoch: float, *, seed: int = 0) -> float:
    """The learning rate after so many epochs, a fraction being part of the next."""
    if epoch < recipe.warmup_epochs:
        share = epoch / recipe.warmup_epochs
        return recipe.warmup_rate + share * (recipe.learning_rate - recipe.warmup_rate)
    if recipe.schedule is Schedule.STEP:
        rate = recipe.learning_rate * recipe.decay_rate ** floor(floor(epoch) / recipe.decay_epochs)
        return rate * _noise(recipe, floor(epoch), seed)
    share = (epoch - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9)
    return recipe.least_rate + (recipe.learning_rate - recipe.least_rate) * (1 + cos(pi * share)) / 2


def _noise(recipe: PretrainRecipe, epoch: int, seed: int) -> float:
    """A factor around 1, the same for a whole epoch."""
    if epoch < recipe.noise_from * recipe.epochs:
        return 1.0
    random = np.random.default_rng([_NOISE, seed, epoch])
    while abs(drawn := float(random.standard_normal())) >= recipe.noise:
        pass
    return 1 + drawn


def build_optimizer(model: nn.Module, recipe: PretrainRecipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; vectors (biases, normalisation) have no weight decay."""
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer is Optimizer.RMSPROP:
        return RMSPropTF(groups, lr=recipe.learning_rate)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.999), fused=True)


class RMSPropTF(torch.optim.Optimizer):
    """RMSProp as TensorFlow defines it, which torch's differs from in three places.

    The constant stands inside the root, mean squares start at 1, and the learning rate is part of the momentum.
    Defaults are those of the release's command: constant 0.001, decay 0.9, momentum 0.9.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        lr: float,
        eps: float = 1e-3,
        alpha: float = 0.9,
        momentum: float = 0.9,
    ) -> None:
        super().__init__(groups, {"lr": lr, "eps": eps, "alpha": alpha, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of all parameters that have a gradient."""
        if closure is not None:
            raise NotImplementedError("RMSPropTF takes no closure")
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._step(parameters, group)

    def _step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        states = [self._state(p) for p in parameters]
        squares, momenta = [s["square"] for s in states], [s["momentum"] for s in states]
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=group["weight_decay"]))
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 1 - group["alpha"])
        roots = torch._foreach_sqrt(torch._foreach_add(squares, group["eps"]))
        torch._foreach_mul_(momenta, group["momentum"])
        torch._foreach_addcdiv_(momenta, gradients, roots, value=group["lr"])
        torch._foreach_sub_(parameters, momenta)

    def _state(self, parameter: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["square"], state["momentum"] = torch.ones_like(parameter), torch.zeros_like(parameter)
        return state

"""The optimizer of both loops: AdamW, grouped as in the release."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from experiments.training.recipes import Recipe
from experiments.training.schedule import learning_rate_factor
from topformer.weights.store import is_head, is_norm

_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)
_Part = tuple[list[nn.Parameter], list[nn.Parameter]]
"""Parameters of normalisation layers, and the others."""


def parameter_groups(
    backbone: nn.Module,
    head: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    norm_weight_decay: float,
    head_multiplier: float,
) -> list[dict[str, Any]]:
    """At most four groups: normalisation layers and the rest, of backbone and of head, each with its peak rate."""
    parts = [_split(part) for part in (backbone, head)]
    return _groups(
        parts,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        norm_weight_decay=norm_weight_decay,
        head_multiplier=head_multiplier,
    )


def _split(part: nn.Module) -> _Part:
    norms = [p for m in part.modules() if isinstance(m, _NORMS) for p in m.parameters()]
    of_norms = {id(p) for p in norms}
    return norms, [p for p in part.parameters() if id(p) not in of_norms]


def _groups(
    parts: Sequence[_Part],
    *,
    learning_rate: float,
    weight_decay: float,
    norm_weight_decay: float,
    head_multiplier: float,
) -> list[dict[str, Any]]:
    """The groups of the parameters of backbone and head."""
    groups = []
    for split, factor in zip(parts, (1.0, head_multiplier), strict=True):
        for parameters, decay in zip(split, (norm_weight_decay, weight_decay), strict=True):
            groups.append({"params": parameters, "weight_decay": decay, "lr": learning_rate * factor})
    return [group for group in groups if group["params"]]


def grouping(recipe: Recipe) -> dict[str, float]:
    """What `parameter_groups` asks of a recipe."""
    names = ("learning_rate", "weight_decay", "norm_weight_decay", "head_multiplier")
    return {name: getattr(recipe, name) for name in names}


def build_optimizer(backbone: nn.Module, head: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW in the groups of the release; each remembers its peak learning rate in `peak`."""
    return _adamw([_split(part) for part in (backbone, head)], recipe)


def store_optimizer(parameters: Mapping[str, nn.Parameter], recipe: Recipe) -> torch.optim.AdamW:
    """The same for the parameters of a `topformer.weights.store.Store`, by their names there."""
    parts: list[_Part] = [([], []), ([], [])]
    for name, parameter in parameters.items():
        parts[is_head(name)][not is_norm(name)].append(parameter)
    return _adamw(parts, recipe)


def _adamw(parts: Sequence[_Part], recipe: Recipe) -> torch.optim.AdamW:
    groups = _groups(parts, **grouping(recipe))
    for group in groups:
        group["peak"] = group["lr"]
    # Fused: one kernel for all tensors, about 1 instead of 3 to 6 ms per iteration on a CPU core.
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, iteration: int) -> None:
    """The learning rate of an iteration, counted from 0."""
    factor = learning_rate_factor(
        iteration, iterations=recipe.iterations, warmup=recipe.warmup_iterations, power=recipe.power
    )
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor

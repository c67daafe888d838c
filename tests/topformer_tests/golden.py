"""The golden values of the released networks, and the rule that fills weights; see data/README.md."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from topformer.design import Design
from topformer.presets import BASE, SMALL, TINY, dense_head

DESIGNS = {"tiny_released": TINY, "tiny_dense": dense_head(TINY), "small": SMALL, "base": BASE}


@dataclass(frozen=True)
class Golden:
    design: Design
    parameters: int
    logits_shape: tuple[int, ...]
    mean: float
    std: float
    samples: tuple[tuple[int, int, int, float], ...]
    shapes: Mapping[str, tuple[int, ...]]

    def state(self) -> dict[str, Tensor]:
        """Filled weights under their released names."""
        return {name: fill(name, shape) for name, shape in self.shapes.items()}


@cache
def golden(case: str) -> Golden:
    path = Path(__file__).parent / "data" / "official_topformer.json"
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))[case]
    return Golden(
        design=DESIGNS[case],
        parameters=data["parameters"],
        logits_shape=tuple(data["logits_shape"]),
        mean=data["mean"],
        std=data["std"],
        samples=tuple((c, y, x, logit) for c, y, x, logit in data["samples"]),
        shapes={name: tuple(shape) for name, shape in data["state_dict"].items()},
    )


def fill(name: str, shape: tuple[int, ...]) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    a = np.asarray(np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape))
    if name.endswith("running_var"):
        a = 1 + 0.1 * abs(a)
    elif name.endswith(("running_mean", ".bias")):
        a = 0.1 * a
    elif len(shape) == 1:
        a = 1 + 0.1 * a
    else:
        a = a * sqrt(2 / prod(shape[1:]))
    return torch.from_numpy(a.astype(np.float32))


def golden_image() -> Tensor:
    a = np.random.RandomState(2204).standard_normal((1, 3, 512, 512))
    return torch.from_numpy(a.astype(np.float32))


def filled(module: torch.nn.Module) -> torch.nn.Module:
    """The module, in evaluation mode, with the rule applied to its own names: no statistic is trivial."""
    module.load_state_dict({name: fill(name, tuple(value.shape)) for name, value in module.state_dict().items()})
    return module.eval()

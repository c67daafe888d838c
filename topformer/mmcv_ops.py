"""A stand-in for mmcv's compiled operations, for detection where only pure-Python wheels are installed.

mmdetection imports `mmcv.ops`, which loads the compiled module `mmcv._ext`; RetinaNet calls two of its some hundred
functions. Non-maximum suppression is here in numpy; the focal loss has a pure-Python form in mmdetection itself.
Every other function raises when it is called. A compiled module is used where there is one.
"""

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from topformer.errors import UnknownOperator

NAME = "mmcv._ext"


class StandIn(ModuleType):
    """Looks like `mmcv._ext`: `nms` works, any other function raises `UnknownOperator` when it is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def absent(*_: Any, **__: Any) -> Any:
            raise UnknownOperator(f"mmcv's operation {name!r} needs mmcv built from source, with its compiled module")

        return absent


def provide() -> bool:
    """Put the stand-in where `mmcv.ops` looks for the compiled module, if there is none.

    Returns:
        Whether the stand-in is used.
    """
    present = sys.modules.get(NAME)
    if present is None and find_spec(NAME) is not None:
        return False
    if present is None:
        module = StandIn(NAME, __doc__)
        module.nms = nms  # type: ignore[attr-defined]
        # mmengine looks for it: with a specification it takes mmcv as whole, whose SyncBatchNorm is not built then.
        module.__spec__ = ModuleSpec(NAME, None)
        sys.modules[NAME] = module
    return isinstance(sys.modules[NAME], StandIn)


def nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int = 0) -> Tensor:
    """Greedy non-maximum suppression: the best box stays, and whatever overlaps it too much goes; then the next best.

    Args:
        boxes: (N, 4) left, top, right, bottom.
        scores: (N,).
        iou_threshold: A box goes if its intersection over union with a better one is larger.
        offset: Added to every side, 0 or 1 (1 where coordinates are of pixels).

    Returns:
        (K,) int64 numbers of the boxes that stay, best first.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    # The loop is of single numbers: on the host, and over rows of one matrix.
    suppressed = (overlaps(boxes[order], offset) > iou_threshold).cpu().numpy()
    gone = np.zeros(len(order), dtype=bool)
    chosen = []
    for row in range(len(order)):
        if not gone[row]:
            chosen.append(row)
            gone |= suppressed[row]
    return order[torch.tensor(chosen, dtype=torch.int64, device=order.device)]


def overlaps(boxes: Tensor, offset: int = 0) -> Tensor:
    """(N, N) intersection over union of every two of (N, 4) boxes."""
    low, high = boxes[:, :2], boxes[:, 2:] + offset
    sides = (torch.minimum(high[:, None], high[None]) - torch.maximum(low[:, None], low[None])).clamp(min=0)
    common = sides.prod(dim=2)
    areas = (high - low).prod(dim=1)
    return common / (areas[:, None] + areas[None] - common)

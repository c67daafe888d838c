"""Segmentation scores as lines of text, for `train` and `evaluate`."""

from collections.abc import Mapping
from typing import Any


def score_table(result: Mapping[str, Any]) -> list[str]:
    """Scores in percent as lines: the IoU of every class, then the means."""
    per_class = result["per_class"]
    width = max(len(name) for name in (*per_class, "mIoU"))
    lines = [f"{name:<{width}}  {'absent' if iou is None else f'{iou:.2f}':>6}" for name, iou in per_class.items()]
    means = (("mIoU", "miou"), ("mAcc", "macc"), ("aAcc", "aacc"))
    return [*lines, "", *(f"{name:<{width}}  {result[key]:>6.2f}" for name, key in means)]

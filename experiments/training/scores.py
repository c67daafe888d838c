"""Segmentation scores of a confusion matrix: IoU per class, mIoU, accuracies, and means per group of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data.folders import IGNORED
from topformer.errors import EvaluationError

Areas = NDArray[np.int64]
"""(K,) pixel counts by class."""

Confusion = NDArray[np.int64]
"""(K, K) pixel counts: row is the true class, column the predicted one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores in percent, as mmsegmentation's IoUMetric defines them.

    Attributes:
        miou: Mean IoU over the classes that occur in the labels or in the predictions.
        aacc: Share of the labelled pixels that are right.
        macc: Mean, over the classes that occur in the labels, of the share of their pixels that is right.
        per_class: IoU of each class; NaN where it occurs in neither.
    """

    miou: float
    aacc: float
    macc: float
    per_class: tuple[float, ...]


def confusion(labels: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> Confusion:
    """Count the pixels of every pair of true and predicted class.

    Args:
        labels: Class numbers 0..K-1, 255 = ignored; any shape.
        predicted: Predicted class numbers, 0..K-1; the same shape.
        classes: K.

    Raises:
        EvaluationError: The shapes differ, or a number is of no class: it would be counted as another one's.
    """
    if labels.shape != predicted.shape:
        raise EvaluationError(f"labels and predictions must have one shape, got {labels.shape} and {predicted.shape}")
    counted = labels != IGNORED
    for name, numbers in (("labels", labels[counted]), ("predictions", predicted[counted])):
        if numbers.dtype.kind not in "iub":
            raise EvaluationError(f"{name} must be class numbers, got {numbers.dtype}")
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < classes:
            raise EvaluationError(
                f"{name} must be class numbers from 0 to {classes - 1}, got {numbers.min()} to {numbers.max()}"
            )
    pairs = labels[counted].astype(np.int64) * classes + predicted[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def scores(counts: Confusion) -> Scores:
    """The scores of a confusion matrix.

    A class that occurs in neither labels nor predictions has no IoU (0 / 0) and is left out of the mean, as in
    mmsegmentation (mmseg/evaluation/metrics/iou_metric.py).
    """
    return scores_of_areas(np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0))


def scores_of_areas(right: Areas, labelled: Areas, predicted: Areas) -> Scores:
    """The scores of pixel counts per class: labelled and predicted as it, labelled as it, predicted as it."""
    iou = _percent(right, labelled + predicted - right)
    return Scores(
        miou=_mean(iou),
        aacc=float(_percent(right.sum(keepdims=True), labelled.sum(keepdims=True))[0]),
        macc=_mean(_percent(right, labelled)),
        per_class=tuple(iou.tolist()),
    )


def group_means(per_class: Mapping[str, float], groups: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Mean IoU of each group of classes, over its classes that have one; a group without any is left out."""
    present = {group: [per_class[name] for name in names if name in per_class] for group, names in groups.items()}
    return {group: sum(values) / len(values) for group, values in present.items() if values}


def _percent(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    result = np.full(whole.shape, np.nan)
    np.divide(100.0 * part, whole, out=result, where=whole > 0)
    return result


def _mean(values: NDArray[np.float64]) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")


def as_json(scores: Scores, classes: tuple[str, ...]) -> dict[str, Any]:
    """Scores in percent as plain JSON; the IoU of a class that occurs nowhere is null.

    Raises:
        EvaluationError: No pixel was labelled.
    """
    if isnan(scores.miou):
        raise EvaluationError("there is no score: no pixel of the split is labelled")
    named = zip(classes, scores.per_class, strict=True)
    per_class = {name: None if value != value else value for name, value in named}
    return {"miou": scores.miou, "aacc": scores.aacc, "macc": scores.macc, "per_class": per_class}

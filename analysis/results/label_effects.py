"""What a label of an axis goes with: the trials that have it against the trials that do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.results.effects import Difference, difference


@dataclass(frozen=True, slots=True)
class LabelEffect:
    """One label of one axis.

    Attributes:
        axis: The axis.
        label: The label.
        trials: Trials that have it.
        gap: Mean of them minus mean of the trials with another label of the axis, with its interval by Welch's test.
    """

    axis: str
    label: str
    trials: int
    gap: Difference


def label_effects(labels: Sequence[Mapping[str, str]], values: Sequence[float]) -> list[LabelEffect]:
    """Every label of every axis that has at least two among the trials, axes and labels in the order of appearance.

    A sampler does not try all combinations alike: labels that it tries together share what they go with. An effect is
    a hint of where to look, not a cause.

    Args:
        labels: Axis to label of each trial.
        values: One number of each trial.
    """
    axes = dict.fromkeys(axis for one in labels for axis in one)
    return [effect for axis in axes for effect in _of_axis(axis, labels, values)]


def _of_axis(axis: str, labels: Sequence[Mapping[str, str]], values: Sequence[float]) -> list[LabelEffect]:
    by_label: dict[str, list[float]] = {}
    for one, value in zip(labels, values, strict=True):
        if axis in one:
            by_label.setdefault(one[axis], []).append(value)
    if len(by_label) < 2:
        return []
    return [
        LabelEffect(axis, name, len(own), difference(own, _others(by_label, name))) for name, own in by_label.items()
    ]


def _others(by_label: Mapping[str, Sequence[float]], name: str) -> list[float]:
    return [value for other, values in by_label.items() if other != name for value in values]

"""Which axes decide whether a design is among the best: PED-ANOVA for axes with labels.

Watanabe, Bansal and Hutter, PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces, IJCAI
2023. Of an axis with labels the density is the share of each label, and the importance is the Pearson divergence
between the shares among the best trials and those among all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

LEAST = 10
"""Trials below which nothing is said: the best of them would be one or two."""
_LEAST_BEST = 5
"""Trials that count as the best at least; the paper's implementation asks for as many."""


@dataclass(frozen=True, slots=True)
class Importance:
    """The importance of each axis for being among the best trials.

    Attributes:
        shares: Axis to its share of all importance, the largest first; they add up to 1, or are all 0.
        best: Number of trials that count as the best.
        trials: Number of trials.
    """

    shares: Mapping[str, float]
    best: int
    trials: int


def importance(
    labels: Sequence[Mapping[str, str]], losses: Sequence[float], *, quantile: float = 0.1
) -> Importance | None:
    """How much each axis separates the best trials from all of them.

    Args:
        labels: Axis to label of each trial; an axis that a trial does not have counts as a label of its own.
        losses: Number of each trial, smaller better.
        quantile: Share of the trials that are the best ones.

    Returns:
        None with fewer than `LEAST` trials.
    """
    if len(losses) < LEAST:
        return None
    order = sorted(range(len(losses)), key=losses.__getitem__)
    best = order[: max(_LEAST_BEST, ceil(quantile * len(losses)))]
    axes = dict.fromkeys(axis for one in labels for axis in one)
    found = {axis: _divergence([one.get(axis) for one in labels], best) for axis in axes}
    total = sum(found.values())
    shares = {axis: value / total if total else 0.0 for axis, value in found.items()}
    return Importance(dict(sorted(shares.items(), key=lambda item: -item[1])), len(best), len(losses))


def _divergence(labels: Sequence[str | None], best: Sequence[int]) -> float:
    """Pearson divergence of the labels among the best from those among all; each label once more on both sides."""
    everywhere, there = Counter(labels), Counter(labels[index] for index in best)
    # As a prior, so that a label with a trial or two does not decide.
    kinds = len(everywhere)
    whole, part = len(labels) + kinds, len(best) + kinds
    ratios = ((everywhere[name] + 1) / whole for name in everywhere)
    return sum(
        share * (((there[name] + 1) / part) / share - 1) ** 2 for name, share in zip(everywhere, ratios, strict=True)
    )

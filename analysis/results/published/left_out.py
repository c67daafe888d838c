"""How wrong the model of published accuracies is about a network whose every point is kept from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.results.pareto import NORMAL_95
from analysis.results.published.anchors import SEARCHED, SETTINGS, Anchor, anchors, contrasts
from analysis.results.published.model import PublishedModel, Support
from search_space.candidate import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A published accuracy, and what the model says that never saw its network, on any data set, by any author.

    Attributes:
        anchor: What was published.
        mean: Predicted mIoU in percent.
        sd: Its standard deviation.
        support: What the prediction stands on.
    """

    anchor: Anchor
    mean: float
    sd: float
    support: Support

    @property
    def error(self) -> float:
        """Predicted minus published, in percentage points."""
        return self.mean - self.anchor.miou

    @property
    def is_covered(self) -> bool:
        """Whether the published number lies in the 95 % interval."""
        return abs(self.error) <= NORMAL_95 * self.sd


def left_out() -> tuple[LeftOut, ...]:
    """Every published accuracy of a known design, predicted without any point of its network.

    The searched networks are left out with the released ones of their size, and are not predicted: their designs are
    not known. Nor is the only network that was published on a data set: without it, nothing is known there.
    """
    known = {dataset: {one.model for one in anchors() if one.dataset == dataset} for dataset in SETTINGS}
    return tuple(_predicted(one) for one in anchors() if one.source != SEARCHED and len(known[one.dataset]) > 1)


def root_mean_square(rows: Sequence[LeftOut]) -> float:
    """Of the errors, in percentage points."""
    return float(np.sqrt(np.mean([row.error**2 for row in rows])))


def coverage(rows: Sequence[LeftOut]) -> float:
    """Share of the published numbers within their 95 % intervals."""
    return sum(row.is_covered for row in rows) / len(rows)


def _predicted(one: Anchor) -> LeftOut:
    model = PublishedModel.fit([other for other in anchors() if other.model != one.model], contrasts())
    candidate = Candidate(design=one.design, height=one.side, width=one.side)
    found = model.predict([candidate], dataset=one.dataset, batch=one.batch, source=one.source)
    return LeftOut(anchor=one, mean=float(found.mean[0]), sd=float(found.sd[0]), support=found.support[0])

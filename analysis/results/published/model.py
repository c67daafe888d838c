"""A Bayesian linear model of the published accuracies: mean, standard deviation and what they stand on."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from math import log2
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analysis.results.published.anchors import (
    RELEASE,
    SEARCHED,
    SETTINGS,
    Anchor,
    Contrast,
    Setting,
    anchors,
    contrasts,
)
from analysis.results.published.factors import EFFECTS, KNOWN, Difference, difference
from search_space.candidate import Candidate
from topformer.codec import canonical
from topformer.design import Design, Head
from topformer.errors import EvaluationError, StudyError, unknown_name
from topformer.presets import BASE, TINY, model_of

# N designs, P coefficients.

Floats = NDArray[np.float64]

RUN_SD = 0.42
"""Between trainings of one setting on ADE20K, in percentage points, as published repetitions have it (7 degrees of
freedom)."""
CHANGE_SD = 0.5
"""Added in squares for every factor in which a design differs: its effect was seen on one network, alone."""
SIZE_REACH, SIDE_REACH = 1.0, 1.25
"""How far beyond the published ones there is an answer: doublings of MACs, and a factor of the side."""

COMMON: tuple[tuple[str, float, float], ...] = (
    ("level", 35.0, 10.0),
    ("size", 3.0, 1.5),
    ("side", 4.0, 3.0),
    ("batch", 0.7, 0.5),
    (RELEASE, 0.0, 1.0),
    (SEARCHED, 0.0, 3.0),
)
"""Coefficients of every network: name, mean and standard deviation before any number is seen. Level: percent, of Small
at 512 px and batch 16 in the paper. Size, side and batch: percentage points per doubling."""
LEVEL_SD, SLOPE_SD = 10.0, 0.7
"""The same for what a data set other than ADE20K adds to level and size."""
OTHERS = ("coco-stuff-10k", "pascal-context-59", "pascal-context-60")


class Support(StrEnum):
    """What a prediction stands on."""

    PUBLISHED = "published"
    """This very network was trained so, and its accuracy published."""
    INTERPOLATED = "interpolated"
    """It differs from published ones in size, side or batch alone, and lies between them."""
    ONE_FACTOR = "one factor away"
    """It differs from a released network in one factor."""
    EXTRAPOLATED = "extrapolated"
    """In several, or it lies outside what was published."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predicted accuracies of N designs.

    Attributes:
        mean: (N,) mIoU in percent.
        sd: (N,) standard deviation of one training's mIoU.
        support: What each stands on.
    """

    mean: Floats
    sd: Floats
    support: tuple[Support, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PublishedModel:
    """The posterior of the coefficients.

    Attributes:
        mean: (P,).
        covariance: (P, P).
        points: What it was learnt from.
    """

    mean: Floats
    covariance: Floats
    points: tuple[Anchor, ...]

    @classmethod
    def fit(cls, points: Sequence[Anchor], words: Sequence[Contrast]) -> Self:
        """Learn from published accuracies and from what the text says of single changes.

        Conjugate normal regression: with prior N(m, S) and observations y = X b + noise, the posterior has precision
        inv(S) + X' inv(V) X (Gelman et al., Bayesian data analysis, chapter 14).
        """
        prior_mean, prior_sd = np.array([row[1:] for row in coefficients()]).T
        rows = [features(one.dataset, difference(one.design), one.side, one.batch, one.source) for one in points]
        rows += [_contrast(one) for one in words]
        observed = np.array([one.miou for one in points] + [one.miou for one in words])
        noise = np.array([RUN_SD] * len(points) + [one.sd for one in words])
        weighted = np.array(rows).reshape(-1, len(prior_mean)) / noise[:, None]
        precision = np.diag(prior_sd**-2.0) + weighted.T @ weighted
        covariance = np.linalg.inv(precision)
        mean = covariance @ (prior_mean / prior_sd**2 + weighted.T @ (observed / noise))
        return cls(mean, covariance, tuple(points))

    def predict(
        self, candidates: Iterable[Candidate], *, dataset: str = "ade20k", batch: int = 16, source: str = "paper"
    ) -> Prediction:
        """Accuracies of candidates that are trained as the published networks were.

        Args:
            candidates: Square ones.
            dataset: One of `SETTINGS`.
            batch: Images per iteration.
            source: Whose level is meant.

        Raises:
            StudyError: No data set of that name, or no such batch was published.
            EvaluationError: Nothing near a candidate was published; the message says what is not.
        """
        check_setting(dataset, batch)
        known = {_key(one.design, one.side) for one in self.points if _is_of(one, dataset, batch, source)}
        rows, changes, support = [], [], []
        for candidate in candidates:
            found = difference(candidate.design)
            check_candidate(candidate, found, dataset)
            rows.append(features(dataset, found, candidate.height, batch, source))
            changes.append(len(found.changed))
            support.append(_support(candidate, found, SETTINGS[dataset], known))
        x = np.array(rows).reshape(-1, len(self.mean))
        variance = ((x @ self.covariance) * x).sum(axis=1) + RUN_SD**2 + CHANGE_SD**2 * np.array(changes)
        return Prediction(x @ self.mean, np.sqrt(variance), tuple(support))


@cache
def published_model() -> PublishedModel:
    """The model of everything that was published."""
    return PublishedModel.fit(anchors(), contrasts())


@cache
def coefficients() -> tuple[tuple[str, float, float], ...]:
    """Name, prior mean and prior standard deviation of every coefficient, in the order of the columns."""
    levels = [(f"level of {name}", 0.0, LEVEL_SD) for name in OTHERS]
    slopes = [(f"size on {name}", 0.0, SLOPE_SD) for name in OTHERS]
    return (*COMMON, *levels, *slopes, *((name, one.mean, one.sd) for name, one in EFFECTS.items()))


def features(dataset: str, found: Difference, side: int, batch: int, source: str) -> list[float]:
    """The row of a network in the columns of `coefficients`."""
    shifts = [float(source == one) for one in (RELEASE, SEARCHED)]
    on = [float(dataset == one) for one in OTHERS]
    common = [1.0, found.size, log2(side / 512), log2(batch / 16), *shifts]
    return [*common, *on, *(found.size * one for one in on), *found.factors]


def check_setting(dataset: str, batch: int) -> None:
    """Something was published on a data set with about that batch.

    Raises:
        StudyError: Nothing was.
    """
    if dataset not in SETTINGS:
        raise StudyError(unknown_name("data set with published TopFormers", dataset, SETTINGS))
    least, most = SETTINGS[dataset].batches
    if not least <= batch <= most:
        raise StudyError(f"batch of published points on {dataset} must be {_span(least, most)}, got {batch}")


def check_candidate(candidate: Candidate, found: Difference, dataset: str) -> None:
    """Something near a candidate was published.

    Raises:
        EvaluationError: Nothing was.
    """
    design, why = candidate.design, ""
    least, most = SETTINGS[dataset].sides
    for field, kinds in KNOWN:
        if getattr(design, field) not in kinds:
            names = ", ".join(kind.value for kind in kinds)
            why = why or f"of {field} {getattr(design, field).value!r} no number; known are {names}"
    if candidate.height != candidate.width:
        why = why or f"only square images, and this one is {candidate.height} x {candidate.width} px"
    if not least / SIDE_REACH <= candidate.height <= most * SIDE_REACH:
        why = why or f"images of {_span(least, most)} px, and {candidate.height} is too far from them"
    smallest, largest = _sizes()
    if not smallest - SIZE_REACH <= found.size <= largest + SIZE_REACH:
        times = 2**found.size
        why = why or f"pyramids from Tiny to Base, and this one has {times:.2g} times the MACs of Small"
    if why:
        raise EvaluationError(f"nothing near this design was published on {dataset}: {why}")


@cache
def _sizes() -> tuple[float, float]:
    return difference(TINY).size, difference(BASE).size


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"


def _contrast(one: Contrast) -> list[float]:
    pair = [features("ade20k", difference(design), 512, 16, "paper") for design in (one.base, one.changed)]
    return [after - before for before, after in zip(*pair, strict=True)]


def _is_of(one: Anchor, dataset: str, batch: int, source: str) -> bool:
    return (one.dataset, one.batch, one.source) == (dataset, batch, source)


def _key(design: Design, side: int) -> tuple[Design, int]:
    """Of Tiny the fuse convolution is depthwise in the release and dense in the paper's figures: one network here."""
    head = Head.SUM if design.head is Head.SUM_DEPTHWISE and model_of(design) == "tiny" else design.head
    return canonical(replace(design, num_classes=1, head=head)), side


def _support(
    candidate: Candidate, found: Difference, setting: Setting, known: AbstractSet[tuple[Design, int]]
) -> Support:
    least, most = setting.sides
    changes = len(found.changed)
    if changes <= 1 and _key(candidate.design, candidate.height) in known:
        return Support.PUBLISHED
    if changes > 1 or not least <= candidate.height <= most:
        return Support.EXTRAPOLATED
    return Support.ONE_FACTOR if changes else Support.INTERPOLATED

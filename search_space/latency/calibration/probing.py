"""Which designs to measure next: those that tell most about which side of a latency limit a space lies on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, owens_t, stdtrit

from search_space.candidate import Candidate
from search_space.cost.table import sums
from search_space.latency.boundary import boundary_named
from search_space.latency.coefficients import NOISE
from search_space.latency.estimate import LatencyTable
from search_space.latency.model import DeviceModel
from search_space.latency.predictive_spread import LEVEL, Floats
from topformer.bounds import COUNT
from topformer.deployment.boundary import Boundary
from topformer.errors import InputError
from topformer.schema import check

JUDGED = 2000
"""Designs whose decisions a choice is scored by; the sums shown are over all."""

POOL = 600
"""Designs that may be chosen: half of them drawn by their probability of a wrong decision, half evenly."""

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictiveCovariance:
    """How far the predictions for N designs may be off together, as a linear Gaussian model.

    The log error of a prediction is `systematic @ w` plus an error of its own of standard deviation `NOISE`, where the
    entries of w are independent, of variance 1 before anything more is measured. So networks that spend their time
    on the same things are off by the same factor, and one measurement tells of all of them.

    Attributes:
        margin: (N,), log of the predicted time over the limit.
        systematic: The rows of `search_space.latency.joint_error.directions`, scaled so that the 95 % interval is that
            of the model.
    """

    margin: Floats
    systematic: Floats

    def error(self, removed: Floats) -> Floats:
        """Probability that each design is on the other side of the limit than predicted: (N, ...).

        It is an average over what the measurements may say.

        With h the margin in standard deviations before, and r the standard deviation that remains over the one that
        is removed, it is 2 T(h, r) with Owen's T; without any knowledge it is Phi(-|h|), with all of it 0.

        Args:
            removed: (N, ...), variance of each log error that measurements will remove.
        """
        before = self.variance.reshape(-1, *[1] * (removed.ndim - 1))
        margin = np.abs(self.margin).reshape(before.shape) / np.sqrt(before)
        removed = np.clip(removed, 0, before)
        with np.errstate(divide="ignore"):
            ratio = np.sqrt((before - removed) / removed)
        error: Floats = np.where(removed > 0, 2 * owens_t(margin, ratio), ndtr(-margin))
        return error

    @property
    def variance(self) -> Floats:
        """Of each log error, (N,)."""
        total: Floats = (self.systematic**2).sum(axis=1) + NOISE**2
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A design to measure.

    Attributes:
        candidate: The design.
        milliseconds: What is predicted.
        low: Lower end of the 95 % interval.
        high: Upper end.
        probability_above: P(latency > limit).
        wrong: Designs expected on the other side of the limit than predicted, once this and all probes before it are
            measured.
    """

    candidate: Candidate
    milliseconds: float
    low: float
    high: float
    probability_above: float
    wrong: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementPlan:
    """What to measure, and what it is expected to bring.

    The numbers of designs on the wrong side are those of the normal model of `PredictiveCovariance`, probabilities
    those of the Student t distribution that a sweep prunes by.

    Attributes:
        limit_ms: The latency limit.
        designs: Number of designs that are decided.
        above: How many of them are predicted to exceed the limit.
        wrong: How many are expected on the other side of the limit than predicted, before anything is measured.
        probes: Best first.
    """

    limit_ms: float
    designs: int
    above: int
    wrong: float
    probes: tuple[Probe, ...]


def predictive_covariance(
    model: DeviceModel, candidates: Sequence[Candidate], limit_ms: float, boundary: Boundary = Boundary.LOGITS
) -> PredictiveCovariance:
    """How far the model's predictions for the candidates may be off, and how much of that they share."""
    features = sums(candidates, model.feature_extractor)
    ending_ms = model.ending_ms(candidates, boundary)
    table = model.predict(features, ending_ms)
    stated = model.directions(features, ending_ms)
    return PredictiveCovariance(margin=np.log(table.milliseconds / limit_ms), systematic=_normal(stated, table))


def _normal(stated: Floats, table: LatencyTable) -> Floats:
    """The rows, scaled so that with `NOISE` they give a normal distribution with the 95 % interval of the table."""
    quantiles = stdtrit(table.degrees, 0.5 + LEVEL / 2) / ndtri(0.5 + LEVEL / 2)
    wanted = np.clip((quantiles * table.sd_log) ** 2 - NOISE**2, 0, None)
    scaled: Floats = stated * np.sqrt(wanted / (stated**2).sum(axis=1))[:, None]
    return scaled


def choose(
    model: DeviceModel,
    candidates: Sequence[Candidate],
    limit_ms: float,
    *,
    budget: int = 5,
    seed: int = 0,
    boundary: Boundary | str = Boundary.LOGITS,
) -> MeasurementPlan:
    """The designs whose measurement is expected to put most others on their true side of the limit.

    Greedy: each probe is the one that, together with those before it, leaves the fewest expected errors.

    Args:
        model: The device as it is known.
        candidates: The designs that a sweep would decide about.
        limit_ms: Its latency limit.
        budget: How many to choose.
        seed: Of the draw of designs that are judged and may be chosen, where there are many.
        boundary: Where the timed graph ends.

    Raises:
        InputError: A limit or budget that is not positive, or fewer candidates than the budget.
    """
    check("budget", budget, COUNT)
    if not limit_ms > 0:
        raise InputError(f"the latency limit must be above 0 ms, got {limit_ms!r}")
    if len(candidates) < budget:
        raise InputError(f"budget must be at most the {len(candidates)} designs there are, got {budget}")
    end = boundary_named(boundary)
    errors = predictive_covariance(model, candidates, limit_ms, end)
    before = errors.error(np.zeros(len(candidates)))
    judged, pool = _drawn(before, budget, np.random.default_rng(seed))
    table = model.estimate_many(candidates, boundary=end)
    above = table.probability_above(limit_ms)
    # Of w: the identity before anything is measured, smaller along every direction that a probe tells of.
    covariance, probes = np.eye(errors.systematic.shape[1]), list[Probe]()
    for _ in range(budget):
        best = _best(errors, judged, pool, covariance)
        pool = pool[pool != best]
        covariance = _measured(covariance, errors.systematic[best])
        probes.append(
            Probe(
                candidate=candidates[best],
                milliseconds=float(table.milliseconds[best]),
                low=float(table.low[best]),
                high=float(table.high[best]),
                probability_above=float(above[best]),
                wrong=float(errors.error(_removed(errors.systematic, covariance)).sum()),
            )
        )
    return MeasurementPlan(
        limit_ms=limit_ms,
        designs=len(candidates),
        above=int((errors.margin > 0).sum()),
        wrong=float(before.sum()),
        probes=tuple(probes),
    )


def _drawn(error: Floats, budget: int, generator: np.random.Generator) -> tuple[Places, Places]:
    """Indices of the designs to judge by, and of those that may be chosen."""
    total = len(error)
    judged = generator.choice(total, min(JUDGED, total), replace=False)
    if total <= max(POOL, budget):
        return judged, np.arange(total)
    doubtful = np.argsort(-error * generator.random(total), kind="stable")[: POOL // 2]
    pool = np.union1d(doubtful, generator.choice(total, POOL // 2, replace=False))
    return judged, pool


def _best(errors: PredictiveCovariance, judged: Places, pool: Places, covariance: Floats) -> int:
    """The design of the pool after whose measurement the fewest errors are expected among those judged."""
    part = PredictiveCovariance(margin=errors.margin[judged], systematic=errors.systematic[judged])
    probes = errors.systematic[pool]
    shared = part.systematic @ covariance @ probes.T
    own = np.einsum("pi,ij,pj->p", probes, covariance, probes) + NOISE**2
    removed = _removed(part.systematic, covariance)[:, None] + shared**2 / own
    return int(pool[np.argmin(part.error(removed).sum(axis=0))])


def _measured(covariance: Floats, probe: Floats) -> Floats:
    """The covariance of w after one more measurement: the update of a linear Gaussian model."""
    shared = covariance @ probe
    after: Floats = covariance - np.outer(shared, shared) / (probe @ shared + NOISE**2)
    return after


def _removed(systematic: Floats, covariance: Floats) -> Floats:
    """Variance that measurements have removed: (N,)."""
    removed: Floats = (systematic**2).sum(axis=1) - np.einsum("ni,ij,nj->n", systematic, covariance, systematic)
    return removed

"""How well every cheaper accuracy ranks designs: its order against that of their full trainings, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.results.power import KNOWN_NOISE, typical_noise
from analysis.results.truth_table import COSTS, TRAINED, Rung, TruthTable
from topformer.errors import InputError, StudyError

# n designs, d bootstrap draws, p pairs of orders that are averaged.

Floats = NDArray[np.float64]

LEAST = 5
"""Designs below which no tau is stated."""
SEEDED = 10
"""Designs with two seeds from which trainings are compared across seeds."""
_BEST = 10
_DRAWS, _EXPECTED = 2000, 400
OVER = 300
"""Designs over which what a rung takes once is spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tau:
    """An agreement of two orders.

    Attributes:
        designs: How many are ranked.
        tau: Kendall's tau-b: 1 for the same order, 0 for none in common, -1 for the reverse.
        low: Lower end of the 95 % bootstrap interval over designs.
        high: Upper end.
    """

    designs: int
    tau: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RungQuality:
    """What a rung is worth.

    Attributes:
        rung: Its name.
        source: Where its numbers come from; `exact` for a count.
        designs: How many have a score and a truth.
        tau: Agreement with the truth; None where there are too few designs, or it gives all the same number.
        low: Lower end of its 95 % bootstrap interval.
        high: Upper end.
        tau_best_quarter: Agreement within the quarter that is truly best; None where that is too few designs.
        regret_best_ten: By how much the best of all designs is better than the best of the rung's ten; in the units of
            the truth, None where there are no more than ten.
        seconds_per_design: Processor seconds, with a share of what the rung takes once, over 300 designs.
        across_seeds: For trainings, whether the truth is that of other seeds; where it is not, both share a seed, which
            flatters.
    """

    rung: str
    source: str
    designs: int
    tau: float | None
    low: float | None
    high: float | None
    tau_best_quarter: float | None
    regret_best_ten: float | None
    seconds_per_design: float
    across_seeds: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """All rungs of a table.

    Attributes:
        designs: With a truth.
        seeds: Designs with at least two seeds.
        truth: Name of the truth's rung.
        noise: Typical standard deviation of the truth between seeds: the table's, else what is known of the metric.
        ceiling: Agreement of one seed's order with that of the others; where too few designs have two, what that noise
            lets expect; None without either.
        is_measured: Whether the ceiling is that of the table's own seeds.
        rungs: Counts first, then by cost.
    """

    designs: int
    seeds: int
    truth: str
    noise: float | None
    ceiling: Tau | None
    is_measured: bool
    rungs: tuple[RungQuality, ...]

    def share(self, tau: float | None) -> float | None:
        """A tau as a share of the ceiling; None without either, or where trainings do not agree with each other."""
        if tau is None or self.ceiling is None or self.ceiling.tau <= 0:
            return None
        return tau / self.ceiling.tau

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        rungs = [{**asdict(rung), "ceiling": None if self.ceiling is None else self.ceiling.tau} for rung in self.rungs]
        return {**asdict(self), "rungs": rungs}


def ladder(table: TruthTable, *, seed: int = 0) -> Ladder:
    """Hold every rung of a table, and every cost, against its truth.

    Args:
        table: Designs and scores.
        seed: Of the bootstrap.

    Raises:
        StudyError: Fewer than five designs have a truth, or it is no training.
    """
    if table.truth.source != TRAINED:
        raise StudyError(f"rungs are held against full trainings, got a table whose truth is {table.truth.name}")
    truth = table.by_seed(table.truth)
    if len(truth) < LEAST:
        raise StudyError(f"a tau needs at least {LEAST} designs with a full training, got {len(truth)}")
    counts = [_count(name, table, seed) for name in COSTS]
    others = [rung for rung in table.scores if rung != table.truth]
    rungs = [_rung(rung, table, seed) for rung in others]
    noise, measured = _noise(truth, table.truth.metric), _across_seeds(truth, truth, seed)
    return Ladder(
        designs=len(truth),
        seeds=len(_seeded(truth)),
        truth=table.truth.name,
        noise=noise,
        ceiling=measured or (None if noise is None else _expected(truth, noise, seed)),
        is_measured=measured is not None,
        rungs=(
            *(one for one in counts if one is not None),
            *sorted(rungs, key=lambda one: (one.source == TRAINED, one.seconds_per_design)),
        ),
    )


def beside_truth(table: TruthTable) -> dict[str, dict[str, tuple[float, float]]]:
    """Name of a rung or cost to fingerprint to what it says of the design, and the truth: means over the seeds."""
    truth = _means(table.by_seed(table.truth))
    values = {
        **{
            name: {one.fingerprint: one.costs[name] for one in table.designs.values() if name in one.costs}
            for name in COSTS
        },
        **{rung.name: _means(table.by_seed(rung)) for rung in table.scores if rung != table.truth},
    }
    return {
        name: {design: (value, truth[design]) for design, value in said.items() if design in truth}
        for name, said in values.items()
        if said
    }


def kendall(pairs: Sequence[tuple[Floats, Floats]], *, seed: int = 0) -> Tau | None:
    """Kendall's tau-b of two orders of the same designs, (n,) each; the mean over several pairs of orders.

    M. Kendall, The treatment of ties in ranking problems, Biometrika 33 (1945). The interval is that of the percentile
    bootstrap: designs are drawn again with replacement, the same ones for every pair.

    Args:
        pairs: Two orders each, all of the same designs.
        seed: Of the draws.

    Returns:
        None where an order has no two different numbers: it orders nothing.

    Raises:
        InputError: There is no pair, or they are not of the same designs.
    """
    lengths = {len(order) for pair in pairs for order in pair}
    if len(lengths) != 1:
        raise InputError(f"orders must be of the same designs, got {sorted(lengths) or 'none'} of them")
    (n,) = lengths
    if any(len(np.unique(order)) < 2 for pair in pairs for order in pair):
        return None
    random = np.random.default_rng(seed)
    weights = np.vstack([np.ones(n), random.multinomial(n, np.full(n, 1 / n), size=_DRAWS)])
    with np.errstate(invalid="ignore", divide="ignore"):
        taus = np.mean([_taus(x, y, weights) for x, y in pairs], axis=0)
    drawn = taus[1:][np.isfinite(taus[1:])]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Tau(designs=n, tau=float(taus[0]), low=float(low), high=float(high))


def _taus(x: Floats, y: Floats, weights: Floats) -> Floats:
    """One tau per row of how often each design counts, (d, n): the sums over pairs of designs are quadratic forms."""
    dx, dy = np.sign(x[:, None] - x[None]), np.sign(y[:, None] - y[None])
    agreement, of_x, of_y = (((weights @ form) * weights).sum(axis=1) for form in (dx * dy, dx * dx, dy * dy))
    return np.asarray(agreement / np.sqrt(of_x * of_y), dtype=np.float64)


def _means(values: Mapping[str, Mapping[int, float]]) -> dict[str, float]:
    return {fingerprint: float(np.mean(list(by_seed.values()))) for fingerprint, by_seed in values.items()}


def _seeded(values: Mapping[str, Mapping[int, float]]) -> list[str]:
    return [fingerprint for fingerprint, by_seed in values.items() if len(by_seed) > 1]


def _noise(truth: Mapping[str, Mapping[int, float]], metric: str) -> float | None:
    found = typical_noise([list(by_seed.values()) for by_seed in truth.values()], "the table") or KNOWN_NOISE.get(
        metric
    )
    return None if found is None else found.sd


def _expected(truth: Mapping[str, Mapping[int, float]], noise: float, seed: int) -> Tau | None:
    """How two trainings of designs as far apart as these would agree, if every design had this noise.

    None where neither noise nor designs give an order.
    """
    random, values = np.random.default_rng(seed), np.array(list(_means(truth).values()))
    ones = np.ones((1, len(values)))
    if not noise and len(np.unique(values)) < 2:
        return None
    drawn = values + random.normal(0, noise, (_EXPECTED, 2, len(values)))
    taus = np.array([_taus(first, second, ones)[0] for first, second in drawn])
    low, high = np.quantile(taus, [0.025, 0.975])
    return Tau(designs=len(values), tau=float(taus.mean()), low=float(low), high=float(high))


def _across_seeds(
    rung: Mapping[str, Mapping[int, float]], truth: Mapping[str, Mapping[int, float]], seed: int
) -> Tau | None:
    """A training's order with one seed against the truth of the other seeds, averaged over seeds."""
    seeds = sorted({one for by_seed in truth.values() for one in by_seed})
    designs = [
        one for one in truth if set(seeds[:2]) <= truth[one].keys() and set(seeds[:2]) <= rung.get(one, {}).keys()
    ]
    if len(seeds) < 2 or len(designs) < SEEDED:
        return None
    pairs = [
        (np.array([rung[one][mine] for one in designs]), np.array([truth[one][other] for one in designs]))
        for mine, other in (seeds[:2], seeds[1::-1])
    ]
    return kendall(pairs, seed=seed)


def _rung(rung: Rung, table: TruthTable, seed: int) -> RungQuality:
    truth, values = table.by_seed(table.truth), table.by_seed(rung)
    seconds = float(np.mean([score.seconds for score in table.scores[rung]]))
    seconds += table.fixed_seconds.get(rung.name, 0.0) / OVER
    across = _across_seeds(values, truth, seed) if rung.source == TRAINED else None
    is_training = rung.source == TRAINED
    firsts = {one: by_seed[min(by_seed)] for one, by_seed in values.items()} if is_training else _means(values)
    return _quality(rung.name, rung.source, firsts, _means(truth), seconds, across, seed)


def _count(name: str, table: TruthTable, seed: int) -> RungQuality | None:
    """A cost as a rung: more of it is taken to be better."""
    values = {one.fingerprint: one.costs[name] for one in table.designs.values() if name in one.costs}
    if not values:
        return None
    return _quality(name, "exact", values, _means(table.by_seed(table.truth)), 0.0, None, seed)


def _quality(
    name: str,
    source: str,
    values: Mapping[str, float],
    truth: Mapping[str, float],
    seconds: float,
    across: Tau | None,
    seed: int,
) -> RungQuality:
    common = [one for one in truth if one in values]
    x, y = np.array([values[one] for one in common]), np.array([truth[one] for one in common])
    tau = across or (kendall([(x, y)], seed=seed) if len(common) >= LEAST else None)
    best = np.argsort(-y, kind="stable")[: len(common) // 4]
    quarter = kendall([(x[best], y[best])], seed=seed) if len(best) >= LEAST else None
    chosen = np.argsort(-x, kind="stable")[:_BEST]
    return RungQuality(
        rung=name,
        source=source,
        designs=len(common) if tau is None else tau.designs,
        tau=None if tau is None else tau.tau,
        low=None if tau is None else tau.low,
        high=None if tau is None else tau.high,
        tau_best_quarter=None if quarter is None else quarter.tau,
        regret_best_ten=float(y.max() - y[chosen].max()) if len(common) > _BEST else None,
        seconds_per_design=seconds,
        across_seeds=across is not None if source == TRAINED else None,
    )

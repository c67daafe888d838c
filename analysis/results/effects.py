"""Statistics of an ablation: what differences between rows are worth, and what a number of seeds can show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from types import MappingProxyType

import numpy as np
from scipy import optimize, special, stats

from topformer.errors import InputError

LEVEL = 0.05
"""A difference counts as shown where its p-value, corrected by Holm within the table, is below this."""

POWER = 0.8
"""Probability with which the smallest difference of a power statement is shown."""

MOST_SEEDS = 1000
"""Where more seeds than this would be needed, `seeds_needed` gives None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How much runs that differ by their seed alone differ.

    Attributes:
        sd: Standard deviation, in the unit of the metric.
        degrees: Degrees of freedom of its estimate.
        source: Where it was measured.
    """

    sd: float
    degrees: int
    source: str


KNOWN_NOISE: Mapping[str, Noise] = MappingProxyType(
    {
        "miou@tokenworld-128": Noise(
            sd=2.28, degrees=30, source="15 designs around nano, three seeds each, 1,200 updates of batch 8"
        ),
        "miou@ade20k": Noise(
            sd=0.42, degrees=7, source="repeated runs of one setting of the release; the batch size moves more"
        ),
    }
)
"""Metric to its noise as measured before, for the power statement of a first ablation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One row: mean over its seeds.

    Attributes:
        n: Number of seeds.
        mean: Mean.
        sd: Standard deviation over the seeds; None for a single one.
        low: Lower end of the 95 % interval of the mean (t with n - 1 degrees); None for a single seed.
        high: Upper end.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row minus the baseline, paired by seed.

    The standard error comes from the residual of the whole table, rows crossed with seeds: a randomised block design
    whose blocks are the seeds. With two rows it is the paired t-test. `own_low`, `own_high` and `own_p` are those of
    the paired t-test of the two rows alone, which supposes no equal noise of the rows.

    Attributes:
        n: Number of pairs.
        mean: Mean difference.
        low: Lower end of the 95 % interval, not corrected for the number of comparisons; None for a single pair.
        high: Upper end.
        p: Two-sided p-value.
        p_holm: The same, corrected by Holm over the table's comparisons with its baseline.
        own_low: Lower end of the interval of the paired t-test.
        own_high: Upper end.
        own_p: Its p-value; None also where all differences are equal.
    """

    n: int
    mean: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    own_low: float | None = None
    own_high: float | None = None
    own_p: float | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the difference is told apart from 0 at `LEVEL`, corrected."""
        return self.p_holm is not None and self.p_holm < LEVEL


class Direction(StrEnum):
    """What a source says of a row against the baseline."""

    BETTER = "better"
    WORSE = "worse"
    SIMILAR = "similar"


class Agreement(StrEnum):
    """A measured difference against the direction that the paper gives."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    CANNOT_TELL = "cannot tell"
    UNKNOWN = "paper unknown"


def summary(values: Sequence[float]) -> Summary:
    """Mean, standard deviation and interval of the runs of one row; there must be at least one."""
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Summary(n=n, mean=mean, sd=None, low=None, high=None)
    sd = float(np.std(values, ddof=1))
    half = float(stats.t.ppf(1 - LEVEL / 2, n - 1)) * sd / sqrt(n)
    return Summary(n=n, mean=mean, sd=sd, low=mean - half, high=mean + half)


def residual(scores: Mapping[str, Sequence[float]]) -> tuple[float, int]:
    """Standard deviation of what neither row nor seed explains, and its degrees of freedom.

    Args:
        scores: Row to its values, one per seed, in the same order of seeds; at least two rows and two seeds.

    Returns:
        Square root of the residual mean square, and (rows - 1) * (seeds - 1).
    """
    table = np.array(list(scores.values()), dtype=float)
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0, keepdims=True) + table.mean()
    degrees = (table.shape[0] - 1) * (table.shape[1] - 1)
    return float(sqrt((rest**2).sum() / degrees)), degrees


def differences(scores: Mapping[str, Sequence[float]], baseline: str) -> dict[str, Difference]:
    """Every other row minus the baseline.

    Args:
        scores: Row to its values, one per seed, in the same order of seeds.
        baseline: The row that the others are compared with.
    """
    gaps = {name: np.subtract(row, scores[baseline]) for name, row in scores.items() if name != baseline}
    if not gaps or len(scores[baseline]) < 2:
        return {name: Difference(n=len(gap), mean=float(gap.mean())) for name, gap in gaps.items()}
    sd, degrees = residual(scores)
    error = sd * sqrt(2 / len(scores[baseline]))
    chances = {name: _p_value(float(gap.mean()), error, degrees) for name, gap in gaps.items()}
    corrected = dict(zip(chances, holm(list(chances.values())), strict=True))
    half = float(stats.t.ppf(1 - LEVEL / 2, degrees)) * error
    return {name: _difference(gap, half, chances[name], corrected[name]) for name, gap in gaps.items()}


def _p_value(mean: float, error: float, degrees: int) -> float:
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / error, degrees))


def _difference(gap: np.ndarray, half: float, p: float, p_holm: float) -> Difference:
    n, mean = len(gap), float(gap.mean())
    own_error = float(gap.std(ddof=1)) / sqrt(n)
    own_half = float(stats.t.ppf(1 - LEVEL / 2, n - 1)) * own_error
    return Difference(
        n=n,
        mean=mean,
        low=mean - half,
        high=mean + half,
        p=p,
        p_holm=p_holm,
        own_low=mean - own_half,
        own_high=mean + own_half,
        own_p=_p_value(mean, own_error, n - 1) if own_error else None,
    )


def holm(chances: Sequence[float]) -> list[float]:
    """P-values corrected for their number, in their order (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    order = np.argsort(chances, kind="stable")
    corrected = np.empty(len(chances))
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[index]))
        corrected[index] = largest
    return [float(value) for value in corrected]


def groups(scores: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """A letter for every set of rows that cannot be told apart; a row may have several, and no letter means no test.

    All pairs of rows are compared with the residual of the table, corrected by Holm over all pairs. As every pair has
    the same standard error, a group is a run of neighbours in the order of the means. Best group first.

    Args:
        scores: Row to its values, one per seed, in the same order of seeds.
    """
    seeds = min((len(row) for row in scores.values()), default=0)
    if len(scores) < 2 or seeds < 2:
        return dict.fromkeys(scores, "")
    means = {name: float(np.mean(row)) for name, row in scores.items()}
    order = sorted(means, key=lambda name: -means[name])
    sd, degrees = residual(scores)
    error = sd * sqrt(2 / seeds)
    pairs = [(a, b) for a in range(len(order)) for b in range(a + 1, len(order))]
    corrected = holm([_p_value(means[order[a]] - means[order[b]], error, degrees) for a, b in pairs])
    equal = {pair for pair, p in zip(pairs, corrected, strict=True) if p >= LEVEL}
    return _letters(order, equal)


def _letters(order: Sequence[str], equal: set[tuple[int, int]]) -> dict[str, str]:
    letters = dict.fromkeys(order, "")
    reached, count = -1, 0
    for first in range(len(order)):
        last = first
        while (first, last + 1) in equal:
            last += 1
        # A run inside an earlier one says nothing new.
        if last > reached:
            for index in range(first, last + 1):
                letters[order[index]] += _letter(count)
            reached, count = last, count + 1
    return letters


def _letter(number: int) -> str:
    return chr(ord("a") + number % 26) + "'" * (number // 26)


def smallest_difference(sd: float, *, seeds: int, rows: int) -> float | None:
    """The smallest difference to the baseline that is shown with probability `POWER`.

    For the first step of Holm's procedure, the hardest: level `LEVEL` / (rows - 1), residual of the whole table.

    Args:
        sd: Standard deviation between runs that differ by their seed alone.
        seeds: Seeds of every row.
        rows: Rows of the table, with the baseline.

    Returns:
        In the unit of `sd`; None where nothing can be shown, with one seed or one row.
    """
    if seeds < 2 or rows < 2:
        return None
    degrees, error = (rows - 1) * (seeds - 1), sd * sqrt(2 / seeds)
    critical = float(stats.t.ppf(1 - LEVEL / (rows - 1) / 2, degrees))

    def lacking(shift: float) -> float:
        # The square of a noncentral t is a noncentral F, which scipy computes without overflow.
        return 1 - float(special.ncfdtr(1, degrees, shift**2, critical**2)) - POWER

    highest = 2.0
    while lacking(highest) < 0:
        highest *= 2
    return error * float(optimize.brentq(lacking, 0.0, highest, xtol=1e-6))


def seeds_needed(sd: float, difference: float, *, rows: int) -> int | None:
    """The least number of seeds for which `smallest_difference` is at most `difference`; None above `MOST_SEEDS`.

    Raises:
        InputError: The difference is not above 0.
    """
    if not difference > 0:
        raise InputError(f"a difference to detect must be above 0, got {difference!r}")
    low, high = 1, MOST_SEEDS
    if rows < 2 or not _suffices(sd, difference, high, rows):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _suffices(sd, difference, middle, rows) else (middle, high)
    return high


def _suffices(sd: float, difference: float, seeds: int, rows: int) -> bool:
    smallest = smallest_difference(sd, seeds=seeds, rows=rows)
    return smallest is not None and smallest <= difference


def pooled_noise(runs: Sequence[Sequence[float]]) -> tuple[float, int] | None:
    """Standard deviation within designs that ran with several seeds, and its degrees of freedom; None without any."""
    several = [values for values in runs if len(values) > 1]
    degrees = sum(len(values) - 1 for values in several)
    if not degrees:
        return None
    squares = sum(float(np.var(values, ddof=1)) * (len(values) - 1) for values in several)
    return sqrt(squares / degrees), degrees


def agreement(claim: Direction | None, difference: Difference | None, *, similar_within: float) -> Agreement:
    """Whether a measured difference goes the way that the paper says.

    Better and worse need a difference that is shown; without one, nothing can be told. Similar agrees where the whole
    interval lies within `similar_within` of 0 (a test of equivalence), and disagrees where a difference is shown and
    the whole interval lies outside.

    Args:
        claim: What the paper says, or None where that is not known.
        difference: The row minus the baseline, or None where it was not measured.
        similar_within: The largest difference that still counts as similar.
    """
    if claim is None:
        return Agreement.UNKNOWN
    if difference is None or difference.low is None or difference.high is None:
        return Agreement.CANNOT_TELL
    if claim is Direction.SIMILAR:
        if max(abs(difference.low), abs(difference.high)) <= similar_within:
            return Agreement.AGREES
        outside = difference.low > similar_within or difference.high < -similar_within
        return Agreement.DISAGREES if difference.is_shown and outside else Agreement.CANNOT_TELL
    if not difference.is_shown:
        return Agreement.CANNOT_TELL
    return Agreement.AGREES if (difference.mean > 0) is (claim is Direction.BETTER) else Agreement.DISAGREES

"""Statistics of an ablation: what the differences between its rows are worth.

Rows differ in their noise: on the embedded data their standard deviations over seeds run from 0.1 to 5.4 points. A
test that pools them accuses quiet rows and trusts noisy ones too much, so every comparison here rests on the two rows
that it compares (Welch, Biometrika 34, 1947, with Satterthwaite's degrees of freedom). Pairing by seed would gain
nothing: a seed moves different networks in unrelated ways (mean correlation 0.04 over the recorded runs).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from math import sqrt

import numpy as np
from scipy import stats

from topformer.errors import InputError, unknown_name

LEVEL = 0.05
"""A difference counts as shown where its p-value, corrected by Holm within the table, is below this."""


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
    """A row minus the baseline, by Welch's test: nothing supposes that the two rows have equal noise.

    Attributes:
        mean: Mean of the row minus mean of the baseline.
        error: Standard error of that; None where a row has a single seed, or where no row has any noise.
        degrees: Degrees of freedom by Satterthwaite; None with `error`, as all below.
        low: Lower end of the 95 % interval, not corrected for the number of comparisons.
        high: Upper end.
        p: Two-sided p-value.
        p_holm: The same, corrected by Holm over the table's comparisons with its baseline.
    """

    mean: float
    error: float | None = None
    degrees: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def is_shown(self) -> bool:
        """Whether 0 is excluded at `LEVEL`, corrected for the number of comparisons."""
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


def summary(scores: Sequence[float]) -> Summary:
    """Mean, standard deviation and interval of the runs of one row; there must be at least one."""
    n, mean = len(scores), float(np.mean(scores))
    if n < 2:
        return Summary(n=n, mean=mean, sd=None, low=None, high=None)
    sd = float(np.std(scores, ddof=1))
    half = float(stats.t.ppf(1 - LEVEL / 2, n - 1)) * sd / sqrt(n)
    return Summary(n=n, mean=mean, sd=sd, low=mean - half, high=mean + half)


def difference(scores: Sequence[float], baseline: Sequence[float]) -> Difference:
    """The scores of a row minus those of the baseline; the two may have different numbers of seeds."""
    mean = float(np.mean(scores) - np.mean(baseline))
    if min(len(scores), len(baseline)) < 2:
        return Difference(mean=mean)
    parts = [float(np.var(row, ddof=1)) / len(row) for row in (scores, baseline)]
    # Rounding leaves a trace of variance in equal numbers.
    if sum(parts) <= (1e-12 * max(1.0, abs(float(np.mean(baseline))))) ** 2:
        return Difference(mean=mean)
    error = sqrt(sum(parts))
    degrees = error**4 / sum(part**2 / (len(row) - 1) for part, row in zip(parts, (scores, baseline), strict=True))
    half = float(stats.t.ppf(1 - LEVEL / 2, degrees)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, degrees))
    return Difference(mean=mean, error=error, degrees=degrees, low=mean - half, high=mean + half, p=p)


def differences(scores: Mapping[str, Sequence[float]], baseline: str) -> dict[str, Difference]:
    """Every other row minus the baseline.

    Args:
        scores: Row to its scores, at least one.
        baseline: The row that the others are compared with.

    Raises:
        InputError: There is no such row.
    """
    if baseline not in scores:
        raise InputError(unknown_name("baseline", baseline, scores))
    gaps = {name: difference(row, scores[baseline]) for name, row in scores.items() if name != baseline}
    chances = {name: gap.p for name, gap in gaps.items() if gap.p is not None}
    corrected = dict(zip(chances, holm(list(chances.values())), strict=True))
    return {name: replace(gap, p_holm=corrected.get(name)) for name, gap in gaps.items()}


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
    """A letter for every largest set of rows of which no two are shown to differ; a row may have several.

    All pairs of rows are compared by Welch's test, corrected by Holm over all pairs. As pairs have different standard
    errors, a noisy row can share a letter with two rows that are shown to differ. Best row first. A row with a single
    seed has no letter, nor has any where there is no noise at all: there is no test.

    Args:
        scores: Row to its scores, at least one.
    """
    means = {name: float(np.mean(row)) for name, row in scores.items() if len(row) > 1}
    order = sorted(means, key=lambda name: -means[name])
    pairs = list(combinations(range(len(order)), 2))
    chances = [difference(scores[order[a]], scores[order[b]]).p for a, b in pairs]
    if not any(p is not None for p in chances):
        return dict.fromkeys(scores, "")
    corrected = holm([1.0 if p is None else p for p in chances])
    alike: dict[int, set[int]] = {index: set() for index in range(len(order))}
    for (a, b), p in zip(pairs, corrected, strict=True):
        if p >= LEVEL:
            alike[a].add(b)
            alike[b].add(a)
    letters = dict.fromkeys(scores, "")
    for number, members in enumerate(sorted(map(sorted, _largest_sets(alike)))):
        for index in members:
            letters[order[index]] += _letter(number)
    return letters


def _largest_sets(alike: Mapping[int, set[int]]) -> list[set[int]]:
    """The sets that no further row can join, all of whose rows are pairwise alike (Bron and Kerbosch, 1973)."""
    found: list[set[int]] = []

    def extend(members: set[int], candidates: set[int], done: set[int]) -> None:
        if not candidates and not done:
            found.append(members)
            return
        # Rows that are alike the pivot are reached from it or from one that is not: they need no branch of their own.
        pivot = max(candidates | done, key=lambda row: len(alike[row] & candidates))
        for row in sorted(candidates - alike[pivot]):
            extend(members | {row}, candidates & alike[row], done & alike[row])
            candidates = candidates - {row}
            done = done | {row}

    extend(set(), set(alike), set())
    return found


def _letter(number: int) -> str:
    return chr(ord("a") + number % 26) + "'" * (number // 26)


def agreement(claim: Direction | None, gap: Difference | None, *, similar_within: float) -> Agreement:
    """Whether a measured difference goes the way that the paper says.

    Better and worse need a difference that is shown; without one, nothing can be told. Similar agrees where the whole
    interval lies within `similar_within` of 0 (a test of equivalence), and disagrees where a difference is shown and
    the whole interval lies outside.

    Args:
        claim: What the paper says, or None where that is not known.
        gap: The row minus the baseline, or None where it was not measured.
        similar_within: The largest difference that still counts as similar.
    """
    if claim is None:
        return Agreement.UNKNOWN
    if gap is None or gap.low is None or gap.high is None:
        return Agreement.CANNOT_TELL
    if claim is Direction.SIMILAR:
        if max(abs(gap.low), abs(gap.high)) <= similar_within:
            return Agreement.AGREES
        outside = gap.low > similar_within or gap.high < -similar_within
        return Agreement.DISAGREES if gap.is_shown and outside else Agreement.CANNOT_TELL
    if not gap.is_shown:
        return Agreement.CANNOT_TELL
    return Agreement.AGREES if (gap.mean > 0) is (claim is Direction.BETTER) else Agreement.DISAGREES

"""What a number of seeds can show, and how many seeds a verdict needs, by the noise of the rows that are compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType

import numpy as np
from scipy import optimize, special, stats

from analysis.results.effects import LEVEL, Direction
from topformer.errors import InputError

POWER = 0.8
"""Probability with which the smallest difference of a power statement is shown."""

MOST_SEEDS = 1000
"""Where more seeds than this would be needed, None is given instead of their number."""

Pair = tuple[float, float]
"""Standard deviations between seeds of two rows that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How much runs that differ by their seed alone differ.

    Attributes:
        sd: Median over designs of the standard deviation between seeds, in the unit of the metric. A mean square
            would be that of the few noisiest designs, and would speak for none of the others. Of few seeds it is
            mostly too small: each is divided by the median of its distribution (chi square).
        least: Of the quietest design.
        largest: Of the noisiest design.
        designs: Number of designs that ran with several seeds.
        source: Which runs these are.
    """

    sd: float
    least: float
    largest: float
    designs: int
    source: str


KNOWN_NOISE: Mapping[str, Noise] = MappingProxyType(
    {
        "miou@tokenworld-128": Noise(
            sd=1.60,
            least=0.27,
            largest=5.11,
            designs=15,
            source="docs/ablations/records.jsonl: designs around nano, five seeds each, 1,200 iterations of batch 8",
        ),
    }
)
"""Metric to its noise as measured before, for the power statement of a first ablation; each names its runs."""


def typical_noise(scores: Sequence[Sequence[float]], source: str) -> Noise | None:
    """The noise of designs that ran with several seeds; None without any.

    Args:
        scores: The scores of each design, one per seed.
        source: Which runs these are.
    """
    several = [runs for runs in scores if len(runs) > 1]
    if not several:
        return None
    sds = [float(np.std(runs, ddof=1)) for runs in several]
    medians = [sqrt(stats.chi2.median(len(runs) - 1) / (len(runs) - 1)) for runs in several]
    typical = float(np.median([sd / median for sd, median in zip(sds, medians, strict=True)]))
    return Noise(sd=typical, least=min(sds), largest=max(sds), designs=len(sds), source=source)


def noise_sentence(noise: Noise | None) -> str:
    """The noise between seeds and its source."""
    if noise is None:
        return "the noise between seeds is not known yet: what these seeds can show cannot be said before they ran"
    spread = f"{noise.least:.2f} to {noise.largest:.2f} by design"
    return (
        f"noise between seeds: standard deviation {noise.sd:.2f}, typical of {noise.designs} designs ({spread}), "
        f"from {noise.source}"
    )


def smallest_difference(pair: Pair, *, seeds: int, comparisons: int) -> float | None:
    """The smallest difference between two rows that is shown with probability `POWER`.

    For the first step of Holm's procedure, the hardest: level `LEVEL` / comparisons.

    Args:
        pair: Noise of the two rows.
        seeds: Of each row.
        comparisons: Of the table, with its baseline.

    Returns:
        In the unit of `pair`; None where nothing can be shown: one seed, no comparison, or no noise to compare with.
    """
    if seeds < 2 or comparisons < 1 or not any(pair):
        return None
    error, degrees = _error(pair, seeds)
    critical = float(stats.t.ppf(1 - LEVEL / comparisons / 2, degrees))

    def lacking(shift: float) -> float:
        # The square of a noncentral t is a noncentral F, which scipy computes without overflow.
        return 1 - float(special.ncfdtr(1, degrees, shift**2, critical**2)) - POWER

    highest = 2.0
    while lacking(highest) < 0:
        highest *= 2
    return error * float(optimize.brentq(lacking, 0.0, highest, xtol=1e-6))


def _error(pair: Pair, seeds: int) -> tuple[float, float]:
    """Standard error of the difference of two means, and its degrees of freedom by Satterthwaite."""
    first, second = (sd**2 for sd in pair)
    return sqrt((first + second) / seeds), (seeds - 1) * (first + second) ** 2 / (first**2 + second**2)


def seeds_needed(pair: Pair, difference: float, *, comparisons: int) -> int | None:
    """The least number of seeds for which `smallest_difference` is at most `difference`; None above `MOST_SEEDS`.

    Raises:
        InputError: The difference is not above 0.
    """
    if not difference > 0:
        raise InputError(f"a difference to detect must be above 0, got {difference!r}")

    def suffices(seeds: int) -> bool:
        smallest = smallest_difference(pair, seeds=seeds, comparisons=comparisons)
        return smallest is not None and smallest <= difference

    return _fewest(suffices)


def seeds_for_verdict(
    claim: Direction, pair: Pair, difference: float, *, comparisons: int, similar_within: float
) -> int | None:
    """The seeds of each row with which a claim could be judged, if the measured difference is the true one.

    Better and worse need the difference to be shown, with probability `POWER`; similar needs an interval that lies
    within `similar_within` or outside. None above `MOST_SEEDS`, and where there is no noise or no difference.

    Args:
        claim: What the paper says.
        pair: Noise of the row and of the baseline.
        difference: The measured one.
        comparisons: Of the table, with its baseline.
        similar_within: The largest difference that counts as similar.
    """
    if not any(pair):
        return None
    if claim is not Direction.SIMILAR:
        return seeds_needed(pair, abs(difference), comparisons=comparisons) if difference else None
    room = abs(abs(difference) - similar_within)

    def suffices(seeds: int) -> bool:
        error, degrees = _error(pair, seeds)
        return float(stats.t.ppf(1 - LEVEL / 2, degrees)) * error <= room

    return _fewest(suffices)


def _fewest(suffices: Callable[[int], bool]) -> int | None:
    """The least number of seeds, from 2 on, that suffices; more seeds never suffice less."""
    low, high = 1, MOST_SEEDS
    if not suffices(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def power_sentence(pairs: Sequence[Pair], *, seeds: int, detect: float) -> str:
    """What so many seeds can show in a table, as a sentence; empty where there is nothing to compare.

    Args:
        pairs: Noise of each row and of the baseline: one pair per comparison.
        seeds: Of every row.
        detect: A difference of interest, in percentage points.
    """
    comparisons = len(pairs)
    if not comparisons:
        return ""
    smallest = [smallest_difference(pair, seeds=seeds, comparisons=comparisons) for pair in pairs]
    shown = sorted(value for value in smallest if value is not None)
    counts = sorted(
        MOST_SEEDS + 1 if count is None else count
        for count in (seeds_needed(pair, detect, comparisons=comparisons) for pair in pairs if any(pair))
    )
    who = "one seed" if seeds == 1 else f"{seeds} seeds"
    least = _range([f"{value:.1f}" for value in shown])
    first = f"{who} can show a difference to the baseline of {least} points or more" if shown else ""
    needed = _range([f"over {MOST_SEEDS:,}" if count > MOST_SEEDS else f"{count}" for count in counts])
    second = f"; {detect:g} points would need {needed} seeds" if counts else ""
    tests = "one comparison" if comparisons == 1 else f"Holm over {comparisons} comparisons"
    return f"{first or f'{who} can show no difference'}{second} (power {POWER:.0%}, {tests})"


def _range(words: Sequence[str]) -> str:
    """The first and the last of sorted numbers, or the one that all are."""
    if len(set(words)) < 2:
        return "".join(words[:1])
    return f"{words[0]} (quietest row) to {words[-1]} (noisiest)"


def sd_sentence(seeds: int) -> str:
    """How well so many seeds know a standard deviation (chi square); empty for one."""
    if seeds < 2:
        return ""
    low, high = (sqrt((seeds - 1) / stats.chi2.ppf(share, seeds - 1)) for share in (1 - LEVEL / 2, LEVEL / 2))
    return (
        f"A standard deviation that comes from {seeds} seeds is itself uncertain: the true one is {low:.1f} to "
        f"{high:.1f} times as large (95 %)."
    )

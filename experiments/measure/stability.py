"""What many runs of a network say: median, spread, and whether they can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LARGEST_SPREAD = 0.05
"""Share of the median by which the 90th percentile may lie above it."""

LARGEST_CLOCK_DROP = 0.02
"""Share of its clock that a core may lose during the runs."""

LARGEST_DRIFT = 0.05
"""Share by which parts of the runs of one network may lie apart: the device did not stay what it was."""

PARTS = 5
"""Parts of the runs from the first to the last, whose medians are compared: of 50 runs the rounds of ten."""

LEAST_RUNS = 3
"""Runs from which a part has a median that one odd run does not make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What many runs of one network say, in milliseconds.

    Attributes:
        median_ms: Half of the runs took less.
        min_ms: The fastest run.
        p90_ms: Nine of ten runs took less.
        mad_ms: Median of the distances from the median.
        runs: Number of runs.
    """

    median_ms: float
    min_ms: float
    p90_ms: float
    mad_ms: float
    runs: int

    @property
    def spread(self) -> float:
        """How far the 90th percentile lies above the median, as a share of it."""
        return (self.p90_ms - self.median_ms) / self.median_ms


def timing(samples_ms: Sequence[float]) -> Timing:
    """The summary of at least one run."""
    samples = np.array(samples_ms, dtype=np.float64)
    median = float(np.median(samples))
    return Timing(
        median_ms=median,
        min_ms=float(samples.min()),
        p90_ms=float(np.percentile(samples, 90)),
        mad_ms=float(np.median(np.abs(samples - median))),
        runs=len(samples),
    )


def parts(samples_ms: Sequence[float]) -> tuple[float, ...]:
    """Medians of the runs from the first part to the last; of fewer parts where there are few runs."""
    count = max(1, min(PARTS, len(samples_ms) // LEAST_RUNS))
    return tuple(float(np.median(part)) for part in np.array_split(np.array(samples_ms, dtype=np.float64), count))


def drift(samples_ms: Sequence[float]) -> float:
    """How far the slowest part of the runs lies above the fastest, as a share of it."""
    medians = parts(samples_ms)
    return max(medians) / min(medians) - 1


def unsteadiness(candidate_ms: Sequence[float], reference_ms: Sequence[float]) -> float:
    """The worst of the candidate's spread and of both networks' drifts: 0 where every run took the same."""
    return max(timing(candidate_ms).spread, drift(candidate_ms), drift(reference_ms))


def complaint(
    candidate_ms: Sequence[float],
    reference_ms: Sequence[float],
    clock_before: float | None = None,
    clock_after: float | None = None,
) -> str:
    """Why a measurement is not stable; empty if it is.

    A processor that grows hot early slows nearly all runs down alike, so that their spread is small; the reference,
    which runs in turns with the candidate from the start to the end, shows it, and so do the candidate's parts.
    """
    if clock_before and clock_after and clock_after < clock_before * (1 - LARGEST_CLOCK_DROP):
        return f"the clock fell from {clock_before:.0f} to {clock_after:.0f} MHz"
    for name, runs_ms in (("reference", reference_ms), ("network", candidate_ms)):
        if drift(runs_ms) > LARGEST_DRIFT:
            medians = ", ".join(f"{part:.3g}" for part in parts(runs_ms))
            apart = f"{drift(runs_ms):.0%} apart (allowed: {LARGEST_DRIFT:.0%})"
            return f"the {name} took {medians} ms from start to end, {apart}"
    spread = timing(candidate_ms).spread
    if spread > LARGEST_SPREAD:
        return f"the 90th percentile is {spread:.0%} above the median, more than {LARGEST_SPREAD:.0%}"
    return ""

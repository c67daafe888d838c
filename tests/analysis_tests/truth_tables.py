"""Truth tables that were made up, whose orders are known."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from analysis.results.truth_table import Rung, Score, TableDesign, TruthTable

METRIC = "miou@tokenworld-128"
TRUTH = Rung(metric=METRIC, source="trained", iterations=1200, schedule=1200, evaluator="lean:0")
HALF = Rung(metric=METRIC, source="trained", iterations=600, schedule=1200, evaluator="lean:0")


def scores(
    designs: Mapping[str, TableDesign], value: Callable[[TableDesign, int], float], *, seeds: int, seconds: float
) -> tuple[Score, ...]:
    return tuple(
        Score(fingerprint=name, seed=seed, value=value(design, seed), seconds=seconds)
        for name, design in designs.items()
        for seed in range(seeds)
    )


def numbered(n: int) -> dict[str, TableDesign]:
    """Designs 0, 1, 2, ... whose parameters are their number."""
    costs = [{"parameters": float(i), "macs": float(-i)} for i in range(n)]
    return {f"d{i}": TableDesign(fingerprint=f"d{i}", labels={}, costs=cost) for i, cost in enumerate(costs)}


def table(
    designs: Mapping[str, TableDesign],
    truth: Callable[[TableDesign, int], float],
    *,
    others: Mapping[Rung, Callable[[TableDesign, int], float]] | None = None,
    seeds: int = 2,
    protocol: Mapping[str, Any] | None = None,
) -> TruthTable:
    found = {TRUTH: scores(designs, truth, seeds=seeds, seconds=100)}
    for rung, value in (others or {}).items():
        several = seeds if rung.source == "trained" else 1
        found[rung] = scores(designs, value, seeds=several, seconds=rung.iterations / 12 or 2)
    return TruthTable(designs=designs, scores=found, truth=TRUTH, protocol=protocol or {})


def noise(spread: float) -> Callable[[TableDesign, int], float]:
    """A number that depends on design and seed alone."""
    return lambda design, seed: float(
        np.random.default_rng([seed, *design.fingerprint.encode()]).normal(0, spread) if spread else 0.0
    )

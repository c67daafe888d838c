"""The samplers, in one table; nothing of Optuna is loaded before one is made."""

from collections.abc import Mapping
from types import MappingProxyType

from experiments.implementations import Implementation

EXHAUSTIVE = "exhaustive"
"""Every design of the space in seeded random order: the sampler itself is never asked."""

WHOLE = "whole"
"""Every design of the space judged at once; of what is recorded, the front comes first."""

_DOOR = "experiments.search.searcher"

SAMPLERS: Mapping[str, Implementation] = MappingProxyType(
    {
        "ehvi": Implementation(f"{_DOOR}:make_ehvi", "greatest expected gain of hypervolume, all costs known exactly"),
        "tpe": Implementation(f"{_DOOR}:make_tpe", "tree-structured Parzen estimator over all axes together"),
        "nsga2": Implementation(f"{_DOOR}:make_nsga2", "genetic: NSGA-II, its population set by the trials"),
        "nsga3": Implementation(f"{_DOOR}:make_nsga3", "genetic: NSGA-III, for three or more objectives"),
        "gp": Implementation(f"{_DOOR}:make_gp", "Gaussian process; slow beyond some hundred trials"),
        "random": Implementation(f"{_DOOR}:make_random", "uniform over the labels of every axis"),
        EXHAUSTIVE: Implementation(
            f"{_DOOR}:make_random", "every design of the space, in random order", aliases=("grid",)
        ),
        WHOLE: Implementation(
            f"{_DOOR}:make_random", "every design judged at once by an evaluator that trains nothing, the best first"
        ),
    }
)
"""Name to what makes the sampler (a `SamplerMaker` of `searcher.py`)."""

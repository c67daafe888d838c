"""The samplers, in one table; nothing of Optuna is loaded before one is made."""

from collections.abc import Mapping
from types import MappingProxyType

from experiments.kinds import Kind

EXHAUSTIVE = "exhaustive"
"""Every design of the space in seeded random order: the sampler itself is never asked."""

_MAKERS = "experiments.search.searcher"

SAMPLERS: Mapping[str, Kind] = MappingProxyType(
    {
        "tpe": Kind(f"{_MAKERS}:make_tpe", "tree-structured Parzen estimator over all axes together"),
        "nsga2": Kind(f"{_MAKERS}:make_nsga2", "genetic: NSGA-II, whose population follows from the trials"),
        "nsga3": Kind(f"{_MAKERS}:make_nsga3", "genetic: NSGA-III, for three objectives and more"),
        "gp": Kind(f"{_MAKERS}:make_gp", "Gaussian process; seconds per proposal beyond some hundred trials"),
        "random": Kind(f"{_MAKERS}:make_random", "uniform over the labels of every axis"),
        EXHAUSTIVE: Kind(f"{_MAKERS}:make_random", "every design of the space, in random order", aliases=("grid",)),
    }
)
"""Name to what makes the sampler of a seed and a size of population (`SamplerMaker` of `searcher.py`)."""

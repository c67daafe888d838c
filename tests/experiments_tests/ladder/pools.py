"""A pool of designs around Nano whose accuracies were made up."""

from functools import cache
from math import sqrt

from analysis.results.truth_table import TableDesign, TruthTable
from experiments.ladder.pool import Pool
from search_space.cost.closed_form import cost
from search_space.latency.calibration.devices import device
from search_space.spaces.space import space
from search_space.spaces.strata import stratified
from tests.analysis_tests.truth_tables import HALF, noise, table

DEVICE = "snapdragon-855"
STRIDES = {"s32": 4.0, "s64": 3.0, "s128": 0.0}


def accuracy(design: TableDesign) -> float:
    """More scales, more width and a finer grid are better, with diminishing returns."""
    labels = design.labels
    scales, width = len(labels["injected"].split("+")), float(labels["width"])
    return 40 + 4 * sqrt(scales) + 6 * sqrt(width / 320) + STRIDES[labels["pool_stride"]]


@cache
def made_up(designs: int = 40) -> TruthTable:
    chosen = space("paper", base="nano", height=128, width=128)
    candidates = stratified(chosen, ("pooled", "depth", "pool_stride"), designs, seed=0)
    model = device(DEVICE)
    found = {}
    for one in candidates:
        counted = cost(one)
        costs = {
            "parameters": float(counted.parameters),
            "macs": float(counted.macs),
            "latency_ms": model.estimate(one).milliseconds,
        }
        labels = chosen.labels_of(one)
        assert labels is not None
        found[one.fingerprint] = TableDesign(fingerprint=one.fingerprint, labels=labels, costs=costs)
    spread = noise(0.5)
    return table(
        found,
        lambda design, seed: accuracy(design) + spread(design, seed),
        others={HALF: lambda design, seed: accuracy(design) - 10 + 2 * spread(design, seed)},
        protocol={"device": DEVICE, "space": {"name": "paper", "base": "nano", "height": 128, "width": 128}},
    )


@cache
def pool(designs: int = 40) -> Pool:
    return Pool.of(made_up(designs))

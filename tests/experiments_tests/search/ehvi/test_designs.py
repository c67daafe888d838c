"""The designs that a sampler may choose from: which, at what cost, and how far their labels are apart."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from experiments.search.definition import Limits, from_mapping
from experiments.search.ehvi.designs import Designs, choosable, distances
from experiments.search.screening import Screen
from search_space.cost.closed_form import cost
from search_space.latency.calibration.devices import device
from search_space.spaces.space import Space, space

DEVICE = "snapdragon-865"
ONLY = {"heads": ["4", "8"], "depth": ["1", "4", "8"], "injected": ["8+16+32", "16", "32"], "width": ["64", "256"]}


@pytest.fixture(scope="module")
def small() -> Space:
    return space("paper", base="nano", height=128, width=128, only=ONLY)


def listed(small: Space, limits: Limits, *, timed: bool = True) -> Designs:
    designs = Designs(small, limits, device(DEVICE) if timed else None)
    designs.add_listed()
    return designs


def test_without_limits_every_design_is_there_once(small: Space) -> None:
    designs = listed(small, Limits())
    prints = {small.candidate(designs.labels(place)).fingerprint for place in range(len(designs))}
    assert len(designs) == len(prints) == small.count()
    assert designs.is_whole


@pytest.mark.parametrize("timed", [True, False])
def test_costs_are_those_of_single_designs(small: Space, timed: bool) -> None:
    designs = listed(small, Limits(), timed=timed)
    for place in (0, 17, len(designs) - 1):
        candidate = small.candidate(designs.labels(place))
        found = dict(zip(designs.columns, designs.costs[place], strict=True))
        assert found["macs"] == cost(candidate).macs
        assert found["parameters"] == cost(candidate).parameters
        assert ("latency_ms" in found) == timed
        if timed:
            assert found["latency_ms"] == pytest.approx(device(DEVICE).estimate(candidate).milliseconds)


@pytest.mark.parametrize("limits", [{"latency_ms": 2.0}, {"macs": 30e6}, {"parameters": 1e6, "latency_ms": 2.2}])
def test_those_within_the_limits_are_the_ones_that_a_screening_lets_pass(
    small: Space, limits: dict[str, float]
) -> None:
    definition = from_mapping(
        {
            "name": "s",
            "objectives": ["accuracy", "latency_ms"],
            "device": DEVICE,
            "trials": 1,
            "limits": limits,
            "space": {"name": "paper", "base": "nano", "height": 128, "width": 128, "only": ONLY},
            "evaluator": {"kind": "lean", "data": "none", "budget": 1},
        }
    )
    screen = Screen(definition)
    passed = {candidate.fingerprint for candidate in small if not screen.assess(candidate).reason}
    designs = listed(small, definition.limits)
    assert {small.candidate(designs.labels(place)).fingerprint for place in range(len(designs))} == passed
    assert 0 < len(passed) < small.count()
    assert designs.within.all()


def test_a_design_beyond_the_limits_is_costed_and_marked_when_it_is_named(small: Space) -> None:
    designs = listed(small, Limits(macs=30e6))
    before = len(designs)
    dear = max(small, key=lambda candidate: cost(candidate).macs)
    place = designs.place(small.labels_of(dear) or {})
    assert place == before == designs.place(small.labels_of(dear) or {})
    assert designs.costs[place][0] == cost(dear).macs
    assert not designs.within[place]


def test_a_draw_of_many_is_seeded(small: Space) -> None:
    drawn = [Designs(small, Limits(), None) for _ in range(3)]
    for designs, seed in zip(drawn, (1, 1, 2), strict=True):
        designs.add_listed(50, seed)
    first, second, third = (designs.choices.tolist() for designs in drawn)
    assert first == second != third
    assert len(first) == 50
    assert not drawn[0].is_whole


def test_a_large_space_begins_with_what_was_screened(tmp_path: Path) -> None:
    definition = from_mapping(
        {
            "name": "s",
            "objectives": ["accuracy", "macs"],
            "trials": 1,
            "consider": 6,
            "limits": {"macs": 600e6},
            "space": {"name": "published-search", "base": "tiny", "height": 512, "width": 512},
            "evaluator": {"kind": "lean", "data": "none", "budget": 1},
        }
    )
    large = definition.space.build()
    screened = Screen(definition).screened(large, tmp_path, lambda text: None)
    designs = choosable(large, definition.limits, None, tmp_path, 0)
    assert len(designs) == 6
    assert designs.within.sum() == screened.within
    for place in range(6):
        assert designs.costs[place][0] == cost(large.candidate(designs.labels(place))).macs
    designs.add_neighbours([0, 1], 8, Random(0))
    assert len(designs) > 6
    for place in range(6, len(designs)):
        assert designs.costs[place][0] == cost(large.candidate(designs.labels(place))).macs
        assert min((designs.choices[place] != designs.choices[known]).sum() for known in (0, 1)) >= 1


def test_neighbours_differ_in_one_label(small: Space) -> None:
    designs = Designs(small, Limits(), None)
    base = designs.place({axis.name: axis.labels[0] for axis in small.axes})
    designs.add_neighbours([base], 30, Random(0))
    apart = (designs.choices[1:] != designs.choices[base]).sum(axis=1)
    assert apart.tolist() == [1] * (len(designs) - 1)
    assert len(designs) > 5


def test_distances_of_numbers_of_sets_and_of_names() -> None:
    whole = space("paper")
    tables = dict(zip((axis.name for axis in whole.axes), distances(whole.axes), strict=True))
    labels = {axis.name: axis.labels for axis in whole.axes}
    depth, injected, head = tables["depth"], tables["injected"], tables["head"]
    assert depth[0, 7] == pytest.approx(1)
    assert depth[0, 1] == pytest.approx(1 / 49)
    assert tables["heads"][0, 5] == pytest.approx(1)
    whole_set, two, one = (labels["injected"].index(text) for text in ("4+8+16+32", "8+16", "32"))
    assert injected[whole_set, two] == pytest.approx(0.5)
    assert injected[two, one] == pytest.approx(0.75)
    assert head[:3, :3] == pytest.approx(1 - np.eye(3))
    for table in tables.values():
        assert table[-1].tolist() == [1.0] * (len(table) - 1) + [0.0]

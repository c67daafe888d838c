"""Two designs side by side."""

import json
from dataclasses import replace

import pytest

from analysis.results.design_comparison import compare_designs
from search_space.candidate import Candidate
from search_space.latency.calibration.devices import device
from topformer.design import Design
from topformer.presets import BASE, SMALL

PHONE = device("snapdragon-865")


def sized(design: Design) -> Candidate:
    return Candidate(design=design, height=512, width=512)


def test_costs_and_parts_are_those_of_each() -> None:
    found = compare_designs(("base", sized(BASE)), ("small", sized(SMALL)), PHONE)
    assert (found.first.parameters, found.second.parameters) == (5_062_646, 3_034_662)
    for side, candidate in ((found.first, sized(BASE)), (found.second, sized(SMALL))):
        assert side.latency_ms == pytest.approx(PHONE.estimate(candidate).milliseconds)
        assert sum(side.parts.values()) == pytest.approx(side.latency_ms)
    text = found.render()
    assert "parameters (M)                    5.063        3.035      0.60" in text
    assert max(len(line) for line in text.splitlines() if "A:" not in line and not line.startswith(("A ", "B "))) <= 90
    assert json.loads(json.dumps(found.to_json()))["second"]["name"] == "small"


def test_equal_networks_are_called_equal() -> None:
    other = replace(BASE, extra_ffns=2)  # a field that a transformer does not use
    assert "both build the same network" in compare_designs(("a", sized(BASE)), ("b", sized(other)), PHONE).render()

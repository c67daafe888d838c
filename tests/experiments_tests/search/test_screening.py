"""What cost alone decides, before anything is built."""

import csv
from pathlib import Path

import pytest

from experiments.search.definition import Limits
from experiments.search.screening import WITHIN, Screen, anchors, read_considered, reasons, violations
from experiments.search.sweep import preset_candidates
from search_space.cost.closed_form import cost
from search_space.latency.calibration.devices import device
from tests.experiments_tests.search.stand_in import definition


def test_a_count_is_exceeded_by_its_share_of_the_limit() -> None:
    found = violations(Limits(macs=200, parameters=50), {"macs": 300, "parameters": 40}, None)
    assert found == {"macs": 0.5, "parameters": pytest.approx(-0.2)}


@pytest.mark.parametrize(("probability", "exceeds"), [(0.949, False), (0.951, True)])
def test_latency_prunes_when_the_limit_is_met_with_less_than_alpha(probability: float, exceeds: bool) -> None:
    found = violations(Limits(latency_ms=3, alpha=0.05), {"macs": 1, "parameters": 1}, probability)
    assert (found["latency_ms"] > 0) is exceeds


def test_a_limit_that_is_met_exactly_is_met() -> None:
    assert violations(Limits(macs=300), {"macs": 300, "parameters": 1}, None) == {"macs": 0}


def test_no_limit_is_no_constraint() -> None:
    assert violations(Limits(), {"macs": 300, "parameters": 1}, None) == {}


def test_the_reason_says_by_how_much() -> None:
    limits = Limits(macs=200, latency_ms=3, alpha=0.1)
    found = violations(limits, {"macs": 1300, "parameters": 1}, 0.97)
    assert reasons(limits, {"macs": 1300, "parameters": 1}, 7.25, found) == (
        "macs 1,300 exceed the limit of 200; latency 7.25 ms exceeds the limit of 3 ms with probability 0.970"
    )


def test_an_assessment_is_the_closed_form_cost_and_the_device_model() -> None:
    study = definition(limits={"latency_ms": 1.5})
    candidate = study.space.build().base
    found = Screen(study).assess(candidate)
    estimate = device("snapdragon-865").estimate(candidate)
    latency = found.metrics["latency_ms@snapdragon-865"]
    assert found.metrics["macs"].value == cost(candidate).macs
    assert (latency.value, latency.low, latency.high) == pytest.approx(
        (estimate.milliseconds, estimate.low, estimate.high)
    )
    assert found.constraints["latency_ms"] == pytest.approx(estimate.probability_above(1.5) - 0.95)


def test_without_a_device_no_latency_is_stated() -> None:
    study = definition(device=None, objectives=["accuracy", "macs"])
    assert not any("latency" in name for name in Screen(study).assess(study.space.build().base).metrics)


def test_a_small_space_is_considered_in_whole(tmp_path: Path) -> None:
    only = {"injected": ["8+16+32"], "width": ["64", "128"], "depth": ["1", "2"], "heads": ["4"], "pooled": ["all"]}
    study = definition(space={"name": "paper", "base": "nano", "height": 128, "width": 128, "only": only})
    space = study.space.build()
    found = Screen(study).consider(space, tmp_path / "considered.csv", designs=1000, seed=0)
    # 2 widths, 2 depths, 3 pooling strides and 3 heads.
    assert found.designs == space.count() == 36


def test_a_large_space_is_considered_by_a_sample_without_repetition(tmp_path: Path) -> None:
    study = definition(limits={"latency_ms": 1.0})
    path = tmp_path / "considered.csv"
    found = Screen(study).consider(study.space.build(), path, designs=120, seed=1)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["fingerprint"] for row in rows}) == found.designs == 120
    assert found.within == sum(row["verdict"] == WITHIN for row in rows)
    assert 0 < found.within < 120
    assert read_considered(path) == found


def test_the_verdict_of_the_screening_is_that_of_the_trial(tmp_path: Path) -> None:
    study = definition(limits={"latency_ms": 1.0, "macs": 3e7})
    space, screen = study.space.build(), Screen(study)
    screen.consider(space, tmp_path / "considered.csv", designs=60, seed=2)
    with (tmp_path / "considered.csv").open(newline="") as file:
        verdicts = {row["fingerprint"]: row["verdict"] for row in csv.DictReader(file)}
    for candidate in space.sample(2, 60):
        assert (verdicts[candidate.fingerprint] == WITHIN) is (not screen.assess(candidate).reason)


def test_presets_outside_the_space_are_no_anchors() -> None:
    study = definition()
    space = study.space.build()
    found = [space.candidate(labels).fingerprint for labels in anchors(space, preset_candidates(study))]
    assert found == [space.base.fingerprint]

"""What cost alone decides, before anything is built."""

import csv
from functools import partial
from pathlib import Path

import pytest

from analysis.records.screened import OLD_NAME, SCREENED, WITHIN, read_screened
from experiments.search.definition import Limits
from experiments.search.screening import Screen, reasons, violations
from experiments.search.study import Study
from search_space.cost.closed_form import cost
from search_space.latency.calibration.devices import device
from search_space.spaces.enumeration import enumerated
from tests.experiments_tests.search.stand_in import Formula, definition
from topformer.errors import StudyError


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


def test_a_small_space_is_screened_in_whole(tmp_path: Path) -> None:
    only = {"injected": ["8+16+32"], "width": ["64", "128"], "depth": ["1", "2"], "heads": ["4"], "pooled": ["all"]}
    chosen = {"name": "paper", "base": "nano", "height": 128, "width": 128, "only": only}
    study = definition(space=chosen, consider=1000)
    space = study.space.build()
    found = Screen(study).screened(space, tmp_path, print)
    # 2 widths, 2 depths, 3 pooling strides and 3 heads.
    assert found.designs == space.count() == 36


def test_a_large_space_is_screened_by_a_sample_without_repetition(tmp_path: Path) -> None:
    study = definition(limits={"latency_ms": 1.0}, consider=120, seed=1)
    found = Screen(study).screened(study.space.build(), tmp_path, print)
    with (tmp_path / SCREENED).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["fingerprint"] for row in rows}) == found.designs == 120
    assert found.within == sum(row["verdict"] == WITHIN for row in rows)
    assert 0 < found.within < 120
    assert read_screened(tmp_path) == found


def test_the_verdict_of_the_screening_is_that_of_the_trial(tmp_path: Path) -> None:
    study = definition(limits={"latency_ms": 1.0, "macs": 3e7}, consider=60, seed=2)
    space, screen = study.space.build(), Screen(study)
    screen.screened(space, tmp_path, print)
    with (tmp_path / SCREENED).open(newline="") as file:
        verdicts = {row["fingerprint"]: row["verdict"] for row in csv.DictReader(file)}
    for candidate in space.sample(2, 60):
        assert (verdicts[candidate.fingerprint] == WITHIN) is (not screen.assess(candidate).reason)


def test_what_is_within_the_limit_is_the_same_to_a_sweep_and_an_enumeration(tmp_path: Path) -> None:
    said: list[str] = []
    only = {"injected": ["8+16+32"], "depth": ["1", "2"], "heads": ["2", "4"]}
    chosen = {"name": "paper", "base": "nano", "height": 128, "width": 128, "only": only}
    for end in ("logits", "argmax-nearest", "argmax"):
        limit = 30.0 if end == "argmax" else 2.25
        study = definition(space=chosen, limits={"latency_ms": limit}, consider=100_000, boundary=end)
        folder = tmp_path / end
        folder.mkdir()
        found = Screen(study).screened(study.space.build(), folder, said.append)
        summary = enumerated(study.space.build(), device("snapdragon-865"), end).summary(limit)
        assert found.within == summary.perhaps_feasible
        assert f"{found.within:,} within the limits (P(latency <= {limit:g} ms) at least 0.05)" in said[-1]
        with (folder / SCREENED).open(newline="") as file:
            assert all((float(row["meets"]) >= 0.05) is (row["verdict"] == WITHIN) for row in csv.DictReader(file))


def test_latencies_of_different_ends_have_different_names() -> None:
    assert Screen(definition()).latency_metric == "latency_ms@snapdragon-865"
    assert Screen(definition(boundary="argmax")).latency_metric == "latency_ms@snapdragon-865+argmax"
    with pytest.raises(StudyError, match="did you mean 'argmax'"):
        definition(boundary="argmx")


def test_presets_outside_the_space_are_no_anchors(tmp_path: Path) -> None:
    study = Study.of(definition(), partial(Formula, log=tmp_path / "log"))
    found = [study.space.candidate(labels).fingerprint for labels in study.anchors()]
    assert found == [study.space.base.fingerprint]


def screened_again(tmp_path: Path, kept: int | None, *, consider: int, name: str = SCREENED) -> tuple[int, list[str]]:
    """Designs in the list of a run folder and what was noted, after its list was cut and the sweep went on."""
    study = definition(consider=60)
    Screen(study).screened(study.space.build(), tmp_path, print)
    whole = (tmp_path / SCREENED).read_bytes()
    (tmp_path / SCREENED).rename(tmp_path / name)
    (tmp_path / name).write_bytes(whole[:kept])
    notes: list[str] = []
    found = Screen(definition(consider=consider)).screened(study.space.build(), tmp_path, notes.append)
    assert read_screened(tmp_path) == found
    return found.designs, notes


@pytest.mark.parametrize("name", [SCREENED, OLD_NAME])
def test_a_list_that_is_there_is_not_made_again(name: str, tmp_path: Path) -> None:
    assert screened_again(tmp_path, None, consider=40, name=name) == (60, [])


@pytest.mark.parametrize("kept", [0, 90, 2000])
@pytest.mark.parametrize("name", [SCREENED, OLD_NAME])
def test_a_cut_or_empty_list_is_made_anew(name: str, kept: int, tmp_path: Path) -> None:
    designs, notes = screened_again(tmp_path, kept, consider=60, name=name)
    assert designs == 60
    assert notes[0].startswith("screened anew: ")


def test_a_larger_consider_makes_the_list_anew(tmp_path: Path) -> None:
    designs, notes = screened_again(tmp_path, None, consider=80)
    assert designs == 80
    assert notes[0].startswith("80 of 106,272 designs screened by cost, ")


def test_a_list_that_lost_whole_lines_is_made_anew(tmp_path: Path) -> None:
    study = definition(consider=60)
    first = Screen(study).screened(study.space.build(), tmp_path, print)
    lines = (tmp_path / SCREENED).read_text().splitlines(keepends=True)
    (tmp_path / SCREENED).write_text("".join(lines[:-7]))
    assert Screen(study).screened(study.space.build(), tmp_path, print) == first

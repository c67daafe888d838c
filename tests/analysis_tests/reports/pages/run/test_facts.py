"""What cards need to know of a run."""

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.records.record import Metric
from tests.analysis_tests.examples import FIDELITY, LATENCY, MIOU, record
from tests.analysis_tests.reports.pages.run.runs import facts, some


def test_the_front_goes_from_the_best_to_the_cheapest(tmp_path: Path) -> None:
    found = facts(tmp_path, some())
    worth = [found.value(one, found.worth) for one in found.members]
    price = [found.value(one, found.price) for one in found.members]
    assert (found.worth.name, found.price.name, found.limit) == (MIOU, LATENCY, 6.0)
    assert worth == sorted(worth, reverse=True)
    assert price == sorted(price, reverse=True)


def test_only_the_largest_budget_is_ranked(tmp_path: Path) -> None:
    short = replace(FIDELITY, budget=300)
    records = [record(0, 50, 4), record(1, 90, 3, fidelity=short), record(2, 91, 3, fidelity=short)]
    found = facts(tmp_path, records)
    assert [one.trial for one in found.ranked.records] == [0]
    assert dict(found.others) == {short: 2}


def test_a_study_of_one_objective_stands_against_a_cost_that_all_have(tmp_path: Path) -> None:
    objectives = [{"metric": MIOU, "direction": "maximize"}]
    assert facts(tmp_path / "one", [record(0), record(1)], objectives=objectives).price.name == LATENCY
    without = replace(record(1), metrics={MIOU: Metric(value=3, source="trained")})
    found = facts(tmp_path / "two", [record(0), without], objectives=objectives)
    assert found.price is found.worth


def test_a_run_without_records_has_no_front(tmp_path: Path) -> None:
    found = facts(tmp_path, [])
    assert (found.members, found.axes, dict(found.ids)) == ((), [], {})


def test_designs_of_another_version_are_told_by_their_labels(tmp_path: Path) -> None:
    found = facts(tmp_path, [record(0)])
    strange = replace(found.run.records[0], design={"schema": 9}, labels={"width": "96", "depth": "2"})
    other = replace(found, run=replace(found.run, records=(strange,)))
    assert other.words[strange.fingerprint] == "width 96, depth 2"


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_both_directions_are_ranked(direction: str, tmp_path: Path) -> None:
    objectives = [{"metric": MIOU, "direction": direction}, {"metric": LATENCY, "direction": "minimize"}]
    found = facts(tmp_path, [record(0, 50, 4), record(1, 60, 4)], objectives=objectives)
    assert [one.trial for one in found.members] == [int(direction == "maximize")]

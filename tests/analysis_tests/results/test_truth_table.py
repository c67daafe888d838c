"""A truth table of records."""

from typing import Any

import pytest

from analysis.records.fidelity import Fidelity
from analysis.records.record import Metric, Record
from analysis.results.ladder import ladder
from analysis.results.truth_table import TruthTable
from tests.analysis_tests.examples import FIDELITY, MIOU, record
from topformer.errors import StudyError


def trained(trial: int, miou: float, seed: int, **details: Any) -> Record:
    return record(trial, miou, seed=seed, seconds=90.0, details={"cpu_seconds": 60.0, **details})


def scored(trial: int, value: float) -> Record:
    fidelity = Fidelity(evaluator="proxy:1", data="", size="128x128", budget=1)
    metrics = {"zico@tokenworld-128": Metric(value=value, source="proxy"), "macs": Metric(value=7, source="exact")}
    return record(trial, metrics=metrics, fidelity=fidelity, seconds=0.5)


def test_the_truth_is_the_longest_training_and_curves_are_rungs() -> None:
    groups = {"context": 40.0}
    records = [trained(0, 50, 0, curve={"300": 20.0, "600": 30.0}, groups=groups), trained(0, 52, 1), trained(1, 44, 0)]
    table = TruthTable.of_records([*records, scored(0, 3.0), record(2, None)])
    assert table.truth.name == "trained 1200"
    assert table.by_seed(table.truth) == {record(0).fingerprint: {0: 50, 1: 52}, record(1).fingerprint: {0: 44}}
    assert [rung.name for rung in table.scores] == [
        "trained 300 of 1200", "trained 600 of 1200", "trained 1200", "zico@tokenworld-128",
    ]  # fmt: skip
    half = next(found for rung, found in table.scores.items() if rung.iterations == 600)
    assert [(one.value, one.seconds) for one in half] == [(30, 30)]
    assert [(one.seconds, dict(one.groups)) for one in table.scores[table.truth]][:2] == [(60, groups), (60, {})]
    assert table.designs[record(0).fingerprint].costs == {"latency_ms": 4.0}


def test_a_judged_table_has_only_designs_with_a_truth() -> None:
    table = TruthTable.of_records([trained(0, 50, 0), scored(0, 1.0), scored(1, 2.0)]).judged()
    assert list(table.designs) == [record(0).fingerprint]
    assert {rung.name: len(found) for rung, found in table.scores.items()} == {
        "trained 1200": 1,
        "zico@tokenworld-128": 1,
    }


def test_a_shorter_training_is_no_truth() -> None:
    short = Fidelity(evaluator=FIDELITY.evaluator, data=FIDELITY.data, size=FIDELITY.size, budget=300)
    table = TruthTable.of_records([record(0, 50), record(0, 30, fidelity=short), record(1, 31, fidelity=short)])
    assert table.truth.iterations == 1200
    assert {rung.name: len(found) for rung, found in table.scores.items()} == {"trained 1200": 1, "trained 300": 2}
    assert table.truth.metric == MIOU


def test_without_a_training_the_most_trusted_source_stands_for_it_in_a_replay_but_not_in_a_ladder() -> None:
    fidelity = Fidelity(evaluator="supernet:1", data="", size="128x128", budget=0)
    supernet = {"miou@supernet-x": Metric(value=40.0, source="supernet")}
    table = TruthTable.of_records([scored(0, 1.0), scored(1, 2.0), record(2, metrics=supernet, fidelity=fidelity)])
    assert table.truth.name == "miou@supernet-x"
    with pytest.raises(StudyError, match="whose truth is miou@supernet-x"):
        ladder(table)


def test_records_without_an_accuracy_are_no_table() -> None:
    with pytest.raises(StudyError, match="needs records with an accuracy"):
        TruthTable.of_records([record(1, None)])

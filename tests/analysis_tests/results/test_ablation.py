"""An ablation table as data: what differs, what the paper claims, what was measured."""

import json
from dataclasses import replace

import pytest

from analysis.records.record import Metric
from analysis.reports.ablation_table import verdicts
from analysis.results.ablation import AblationRow, Claim, MeasuredRow, paper_directions, table_statistics
from analysis.results.effects import Agreement, Direction
from tests.analysis_tests.ablation_examples import ablation, exact, measured, printed


def test_a_printed_number_is_compared_at_its_own_precision() -> None:
    row = AblationRow(label="r", costs={"parameters": exact(3_034_662)}, published={"parameters": printed(3.1)})
    assert row.differs("parameters")
    assert not replace(row, published={"parameters": printed(3.0)}).differs("parameters")
    assert not replace(row, published={"parameters": printed(None)}).differs("parameters")


def test_a_prediction_differs_where_the_printed_number_is_outside_its_interval() -> None:
    row = AblationRow(
        label="r",
        costs={"latency_ms": Metric(value=45.0, source="predicted", low=41.0, high=49.0)},
        published={"latency_ms": printed(43.0)},
    )
    assert not row.differs("latency_ms")
    assert replace(row, published={"latency_ms": printed(60.0)}).differs("latency_ms")


def test_directions_come_from_numbers_or_else_from_words() -> None:
    rows = [
        AblationRow(label="base", published={"miou": printed(37.8)}),
        AblationRow(label="lower", published={"miou": printed(37.0)}),
        AblationRow(
            label="words", published={"miou": printed(None)}, claim=Claim(direction=Direction.SIMILAR, source="text")
        ),
        AblationRow(label="nothing", published={"miou": printed(None)}),
    ]
    assert paper_directions(rows, "base") == {
        "base": None, "lower": Direction.WORSE, "words": Direction.SIMILAR, "nothing": None,
    }  # fmt: skip


def test_the_verdicts_of_a_table() -> None:
    rows = {row.label: row.measured for row in ablation().rows if row.measured is not None}
    assert rows["a|b"].agreement is Agreement.AGREES
    assert rows["c_50%"].agreement is Agreement.UNKNOWN
    assert rows["ours"].agreement is None
    assert verdicts(ablation()) == "1 agrees, 1 paper unknown"


def test_only_seeds_that_every_row_has_are_paired() -> None:
    rows = measured(a=[1.0, 2.0, 3.0], b=[2.0, 3.5, 9.0])
    rows["b"] = replace(rows["b"], scores={0: 2.0, 2: 9.0}, failed={1: "the loss is not finite"})
    found = table_statistics(rows, {}, baseline="a", similar_within=1.0)
    assert found.common == (0, 2)
    difference = found.rows["b"].difference
    assert difference is not None
    assert difference.n == 2
    assert difference.mean == pytest.approx((1.0 + 6.0) / 2)


def test_a_row_without_runs_takes_nothing_from_the_others() -> None:
    rows = {**measured(a=[1.0, 2.0], b=[2.0, 3.1]), "later": MeasuredRow(fingerprint="later@128x128", scores={})}
    found = table_statistics(rows, {}, baseline="a", similar_within=1.0)
    assert found.common == (0, 1)
    assert found.rows["later"].summary is None


def test_a_row_that_is_the_baseline_network_has_no_difference() -> None:
    rows = measured(a=[1.0, 2.0], b=[2.0, 3.1])
    rows["twin"] = MeasuredRow(fingerprint="a@128x128", scores={0: 1.0, 1: 2.0}, same_as="a")
    found = table_statistics(rows, {}, baseline="a", similar_within=1.0)
    assert found.rows["twin"].difference is None
    assert found.rows["b"].difference is not None
    assert found.residual_degrees == 1


def test_json_is_strict_and_holds_every_seed() -> None:
    value = json.loads(json.dumps(ablation().to_json(), allow_nan=False))
    assert value["rows"][1]["measured"]["scores"] == {"0": 40.0, "1": 42.5, "2": 41.0}

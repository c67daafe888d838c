"""An ablation table as data: what differs, what the paper claims, what was measured."""

import json
from dataclasses import replace

from analysis.records.record import Metric
from analysis.results.ablation import AblationRow
from tests.analysis_tests.ablation_examples import ablation, exact, printed


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


def test_json_is_strict_and_holds_every_seed() -> None:
    value = json.loads(json.dumps(ablation().to_json(), allow_nan=False))
    assert value["rows"][1]["measured"]["scores"] == {"0": 40.0, "1": 42.5, "2": 41.0}

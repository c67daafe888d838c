"""What no record can be: each fault is named with its line, by whoever reads the records."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.records.record import JsonlStore, Metric, Record, to_json
from analysis.records.soundness import fault, sound_records
from analysis.records.study import read_study
from analysis.results.truth_files import truth_table
from tests.analysis_tests.examples import record, with_own_design
from topformer.errors import RecordError

LATENCY = "latency_ms@snapdragon-865"


def changed(**changes: Any) -> Record:
    return replace(with_own_design(record(1)), **changes)


def detailed(**details: Any) -> Record:
    return changed(details=details)


def measured(name: str, value: float, **ends: float) -> Record:
    return changed(metrics={name: Metric(value=value, source="predicted", **ends)})


UNSOUND = [
    (changed(fingerprint="000000000000@64x64"), "fingerprint 000000000000@64x64 is not that of the record's design"),
    (changed(trial=-1), "trial must be at least 0 and below 1e.18, got -1"),
    (changed(seed=-1), "seed must be at least 0"),
    (changed(seed=10**30), "seed must be at least 0 and below"),
    (changed(seconds=-0.5), "seconds must be at least 0 and below 1e.18, got -0.5"),
    (changed(finished="yesterday"), "finished must be a time such as .*, got 'yesterday'"),
    (changed(finished="2026-13-45T00:00:00"), "finished must be a time such as"),
    (measured(LATENCY, 0), "latency_ms@snapdragon-865 must be above 0, got 0"),
    (measured(LATENCY, -3), "latency_ms@snapdragon-865 must not be negative, got -3"),
    (measured(LATENCY, 3, low=0, high=4), "must be above 0, got 3 with low 0"),
    (measured("macs", -3), "macs must not be negative, got -3"),
    (measured(LATENCY, 3, low=5, high=4), "ends below its start: low 5, high 4"),
    (measured(LATENCY, 3, low=5, high=6), "must lie in its interval, got 3 with low 5 and high 6"),
    (measured("miou@x", 40, high=39), "miou@x must lie in its interval, got 40 with low None and high 39"),
    (measured("miou@x", 1e300), "miou@x must be a number below 1e.18, got 1e.300"),
    (measured("miou@x", 40, low=-1e308, high=1e308), "must be a number below 1e.18"),
    (
        measured(LATENCY, 3, shared_sd=1e6, own_sd=0.1),
        "deviation of latency_ms.* is above 20: 1000000.0 shared",
    ),
    (
        measured(LATENCY, 3, shared_sd=0.1, own_sd=-0.1),
        "deviation of latency_ms.* is below 0: 0.1 shared, -0.1",
    ),
    (detailed(curve=3), "details.curve must be an object of numbers, got 3"),
    (detailed(curve={"1": "a"}), "details.curve must be an object of numbers"),
    (detailed(curve={"x": 1}), "details.curve must be by iterations from 1 to the record's 1,200, got 'x'"),
    (detailed(curve={"1201": 1}), "details.curve must be by iterations from 1 to the record's 1,200, got '1201'"),
    (detailed(curve={"0": 1}), "details.curve must be by iterations from 1"),
    (detailed(cpu_seconds="many"), "details.cpu_seconds must be a number of seconds from 0, got 'many'"),
    (detailed(cpu_seconds=-1), "details.cpu_seconds must be"),
    (detailed(groups=[1]), "details.groups must be an object of numbers"),
    (detailed(groups={"a": "b"}), "details.groups must be an object of numbers"),
    (detailed(constraints={"latency_ms": None}), "details.constraints must be an object of numbers"),
    (detailed(latency_by_module=7), "details.latency_by_module must be an object of numbers"),
    (detailed(judged=True), "details.judged must be an integer of at least 0"),
    (detailed(evaluator={}), "details.evaluator must be an object with a kind"),
    (detailed(evaluator={"kind": "lean", "data": {}}), "details.evaluator must be an object with a kind"),
    (detailed(ablation=[]), r"details.ablation must be an object, got \[\]"),
]


@pytest.mark.parametrize(("unsound", "said"), UNSOUND, ids=lambda case: case[:40] if isinstance(case, str) else "")
def test_what_no_record_can_be_is_named_with_its_line(unsound: Record, said: str, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    assert fault(with_own_design(record(0))) == ""
    JsonlStore(path).append_many([with_own_design(record(0)), unsound])
    readers: list[Callable[[], object]] = [
        lambda: sound_records(path),
        lambda: read_study(JsonlStore(path)),
        lambda: truth_table(tmp_path),
    ]
    for read in readers:
        with pytest.raises(RecordError, match=rf"records\.jsonl, line 2: .*{said}"):
            read()


def test_what_a_record_may_hold_is_read(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    whole = detailed(
        curve={"300": 1.5, "1200": 2}, groups={"a": None}, cpu_seconds=None, constraints={}, own={"any": ["thing"]}
    )
    JsonlStore(path).append_many([whole, measured(LATENCY, 3, low=3, high=3, shared_sd=0, own_sd=0)])
    assert sound_records(path)[0] == whole
    assert sound_records(tmp_path / "none.jsonl") == ()


def test_a_design_of_another_version_is_not_judged() -> None:
    value = to_json(changed())
    value["design"] = {"schema": 99}
    assert "fingerprint" not in fault(replace(changed(), design=json.loads(json.dumps(value["design"]))))

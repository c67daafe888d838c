"""The JSON form of a record, and what every store of records promises."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.records.fidelity import Fidelity
from analysis.records.record import Metric, Record, State, decode, encode, to_json
from tests.analysis_tests.examples import record
from topformer.errors import RecordError

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OPTIONAL = ("low", "high", "shared_sd", "own_sd")
METRICS = st.builds(Metric, value=NUMBERS, source=st.text(min_size=1), **dict.fromkeys(OPTIONAL, st.none() | NUMBERS))
FIDELITIES = st.builds(Fidelity, evaluator=st.text(), data=st.text(), size=st.text(), budget=st.integers())
RECORDS = st.builds(
    Record,
    study=st.text(),
    trial=st.integers(),
    state=st.sampled_from(State),
    fingerprint=st.text(),
    fidelity=FIDELITIES,
    design=st.dictionaries(st.text(), JSON, max_size=3),
    height=st.integers(),
    width=st.integers(),
    labels=st.dictionaries(st.text(), st.text(), max_size=3),
    metrics=st.dictionaries(st.text(), METRICS, max_size=3),
    details=st.dictionaries(st.text(), JSON, max_size=3),
    reason=st.text(),
    origin=st.text(),
    seed=st.integers(),
    seconds=NUMBERS,
    finished=st.text(),
    versions=st.dictionaries(st.text(), st.text(), max_size=3),
)


# A record has twenty parts to draw, which a busy machine takes its time for.
@given(RECORDS)
def test_any_record_survives_its_line(one: Record) -> None:
    line = encode(one)
    assert line.count(b"\n") == 1
    assert decode(line) == one


def test_every_field_is_written() -> None:
    assert set(to_json(record())) == {"schema", *(item.name for item in fields(Record))}


def test_the_parts_of_an_error_are_written_where_there_are_any() -> None:
    metrics = {"a": Metric(value=1.0, source="exact"), "b": Metric(value=1.0, source="predicted", own_sd=0.02)}
    written = to_json(record(metrics=metrics))["metrics"]
    assert list(written["a"]) == ["value", "source", "low", "high"]
    assert list(written["b"]) == ["value", "source", "low", "high", "own_sd"]


def test_absent_optional_keys_take_their_defaults() -> None:
    required = ("schema", "study", "trial", "state", "fingerprint", "fidelity", "design", "height", "width")
    short = {name: to_json(record())[name] for name in required}
    assert decode(json.dumps(short).encode()).origin == "sampler"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 3}, "record.schema must be 2, or 1 of an older version, got 3"),
        ({"budget": 800}, "unknown key of record 'budget'"),
        ({"fidelity": {"evaluator": "lean"}}, "fidelity.data is missing"),
        ({"fidelity": {"evaluator": 1, "data": "", "size": "", "budget": 1}}, "fidelity.evaluator must be a string"),
        ({"trail": 1}, "unknown key of record 'trail'; did you mean 'trial'"),
        ({"trial": "1"}, "trial must be an integer, got '1'"),
        ({"trial": True}, "trial must be an integer, got True"),
        ({"state": "done"}, "unknown state 'done'"),
        ({"labels": {"width": 128}}, "labels.width must be a string, got 128"),
        ({"design": []}, r"design must be an object, got \[\]"),
        ({"metrics": {"macs": {"value": 1}}}, "metrics.macs.source is missing"),
        ({"metrics": {"macs": {"value": None, "source": "exact"}}}, "metrics.macs.value must be a finite number"),
        ({"metrics": {"macs": {"value": 1, "source": "exact", "unit": "M"}}}, "unknown key of metrics.macs 'unit'"),
    ],
)
def test_a_wrong_record_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        decode(json.dumps({**to_json(record()), **changes}).encode())


def test_a_missing_key_is_named() -> None:
    data = to_json(record())
    del data["fingerprint"]
    with pytest.raises(RecordError, match=r"record\.fingerprint is missing"):
        decode(json.dumps(data).encode())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_must_be_finite(value: float) -> None:
    with pytest.raises(RecordError, match=r"metrics\.macs\.value must be a finite number, got (nan|inf)"):
        encode(record(metrics={"macs": Metric(value=value, source="exact")}))


def test_a_detail_that_is_not_finite_is_null() -> None:
    assert decode(encode(record(details={"iou": [1.0, float("nan")]}))).details == {"iou": [1.0, None]}


def test_numbers_of_numpy_become_plain() -> None:
    details = {"iou": np.float32(0.5), "pixels": np.int64(7)}
    assert decode(encode(record(details=details))).details == {"iou": 0.5, "pixels": 7}


def test_a_value_without_json_form_is_named() -> None:
    with pytest.raises(RecordError, match=r"details\.path must be plain JSON, got .* of type PosixPath"):
        encode(record(details={"path": Path("a")}))


def test_counts_keep_every_digit() -> None:
    big = 2**62 + 1
    assert decode(encode(record(metrics={"macs": Metric(value=big, source="exact")}))).metrics["macs"].value == big


def test_records_need_no_numeric_library() -> None:
    heavy = "{'numpy', 'pandas', 'matplotlib', 'torch', 'optuna', 'scipy'}"
    code = f"import sys, analysis.records.record; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

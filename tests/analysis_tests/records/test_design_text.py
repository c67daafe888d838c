"""Designs and details left as text say what the decoded ones say."""

import json
from dataclasses import replace
from typing import Any

import pytest

from analysis.records.design_text import DesignText, design_text
from analysis.records.line_text import ObjectText
from analysis.records.record import decode, encode
from tests.analysis_tests.examples import record
from topformer.codec import to_json
from topformer.errors import RecordError
from topformer.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_a_design_as_text_is_the_design(name: str) -> None:
    design = to_json(PRESETS[name])
    text = json.dumps(design, separators=(",", ":"))
    found = DesignText.of(text[1:-1])
    assert found is not None
    assert dict(found) == design
    assert found == design
    assert found.text == text
    assert found.ordered == json.dumps(design, sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize(
    "text",
    ['"a":NaN', '"a":1,', '"a":1,"a":2', '"a":[[1]]', '"a":tru', '"a" :1', '"a":"\\"', '"a":"x]","b":["]"]', "a"],
)
def test_text_that_must_be_decoded_to_be_known_is_none(text: str) -> None:
    found = DesignText.of(text)
    assert found is None or dict(found) == json.loads(f"{{{text}}}")


def test_a_record_that_is_read_and_written_keeps_its_bytes() -> None:
    line = encode(record())
    assert encode(decode(line)) == line
    assert decode(line).design == record().design


@pytest.mark.parametrize(
    "details",
    [{}, {"constraints": {"latency_ms": -0.05}}, {"curve": {"100": 1.5}, "rows": [[1, 2], []], "note": 'a "quote", {'}],
)
def test_details_stay_text_and_say_the_same(details: dict[str, Any]) -> None:
    line = encode(replace(record(), details=details))
    found = decode(line).details
    assert isinstance(found, ObjectText)
    assert found == details
    assert dict(found) == details
    assert len(found) == len(details)
    assert repr(found) == repr(details)
    assert found.get("curve", 3) == details.get("curve", 3)
    assert encode(decode(line)) == line


@pytest.mark.parametrize(
    "details",
    [
        {"inner": {"x": {}, "reason": "of its own"}},
        {"inner": {"y": {}, "details": {"z": 1}, "reason": "twice"}},
        {"inner": {"x": {}, "height": 3}, "versions": {"a": "b"}},
    ],
)
def test_keys_of_a_record_within_its_details_mislead_nobody(details: dict[str, Any]) -> None:
    found = decode(encode(replace(record(), details=details)))
    assert found.details == details
    assert found.reason == record().reason
    assert found.versions == record().versions


@pytest.mark.parametrize("broken", ['{"a":1]}', '{"a":NaN}', '{"a":1},"b":{}', '{"a"}', "{,}"])
def test_details_that_are_no_json_are_refused(broken: str) -> None:
    line = encode(replace(record(), details={"mark": 0})).replace(b'{"mark":0}', broken.encode())
    with pytest.raises(RecordError):
        decode(line)


def test_a_design_among_the_details_is_left_alone() -> None:
    data = json.loads(encode(record()))
    inner = {"x": 1, "design": {"schema": 1}, "height": 5}
    line = json.dumps({"details": inner, **{k: v for k, v in data.items() if k != "details"}}, separators=(",", ":"))
    found = decode(line.encode())
    assert found.details == inner
    assert found.design == data["design"]
    assert design_text(found.design, ordered=True) == json.dumps(data["design"], sort_keys=True, separators=(",", ":"))

"""Designs left as text say what the decoded ones say."""

import json

import pytest

from analysis.records.design_text import DesignText, design_text
from analysis.records.record import decode, encode
from tests.analysis_tests.examples import record
from topformer.codec import to_json
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


def test_a_design_among_the_details_is_left_alone() -> None:
    data = json.loads(encode(record()))
    inner = {"x": 1, "design": {"schema": 1}, "height": 5}
    line = json.dumps({"details": inner, **{k: v for k, v in data.items() if k != "details"}}, separators=(",", ":"))
    found = decode(line.encode())
    assert found.details == inner
    assert found.design == data["design"]
    assert design_text(found.design, ordered=True) == json.dumps(data["design"], sort_keys=True, separators=(",", ":"))

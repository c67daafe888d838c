"""What two accuracies must share to be compared, and what old records say of it."""

import json
from dataclasses import replace

import pytest

from analysis.records.fidelity import UNKNOWN, Fidelity, check_one
from analysis.records.record import JsonlStore, decode, encode, to_json
from tests import ROOT
from tests.analysis_tests.examples import FIDELITY, record
from topformer.errors import StudyError

FIRST_SCHEMA = ROOT / "tests" / "first_schema" / "ablations.jsonl"
"""The records of the ablation that version 0.1.0 came with."""
SETTINGS = {"kind": "lean", "data": {"name": "tokenworld-128", "files": "4d16"}, "batch": 8, "flip": 0.5}


def of(settings: dict[str, object], budget: int = 800) -> Fidelity:
    return Fidelity.of(settings, height=128, width=96, budget=budget)


def test_it_names_evaluator_data_size_and_budget() -> None:
    found = of(SETTINGS)
    assert found.evaluator.startswith("lean:")
    assert found.data.startswith("tokenworld-128:")
    assert (found.size, found.budget) == ("128x96", 800)
    assert str(found) == f"{found.evaluator} on {found.data} at 128x96, 800 iterations"


def test_the_order_of_settings_does_not_count_and_every_value_does() -> None:
    assert of(dict(reversed(SETTINGS.items()))) == of(SETTINGS)
    assert of({**SETTINGS, "batch": 9}).evaluator != of(SETTINGS).evaluator
    other_files = of({**SETTINGS, "data": {"name": "tokenworld-128", "files": "ffff"}})
    assert other_files.evaluator == of(SETTINGS).evaluator
    assert other_files.data != of(SETTINGS).data


def test_without_data_there_is_none() -> None:
    assert of({"kind": "params"}).data == ""


def test_a_digest_differs_with_each_part() -> None:
    changed = [
        replace(FIDELITY, evaluator="x"),
        replace(FIDELITY, data="x"),
        replace(FIDELITY, size="x"),
        replace(FIDELITY, budget=1),
    ]
    assert len({one.digest for one in [FIDELITY, *changed]}) == 5


def test_several_are_refused_and_all_are_shown() -> None:
    check_one([FIDELITY, FIDELITY], "a front")
    check_one([], "a front")
    with pytest.raises(StudyError, match=r"a front needs accuracies of one fidelity, got 2: .*1,200 iter.*50 iter"):
        check_one([FIDELITY, replace(FIDELITY, budget=50)], "a front")


def test_an_ablation_of_the_first_schema_has_one_fidelity() -> None:
    path = FIRST_SCHEMA
    assert json.loads(path.read_text().splitlines()[0])["schema"] == 1
    found = {one.fidelity for one in JsonlStore(path)}
    assert len(found) == 1
    fidelity = found.pop()
    assert fidelity.evaluator.startswith("lean:")
    assert UNKNOWN not in fidelity.evaluator + fidelity.data
    assert fidelity.data.startswith("tokenworld-128:")
    assert (fidelity.size, fidelity.budget) == ("128x128", 1200)


def test_a_record_of_the_first_schema_is_written_in_the_second() -> None:
    path = FIRST_SCHEMA
    one = next(iter(JsonlStore(path)))
    assert to_json(one)["schema"] == 2
    assert decode(encode(one)) == one


def test_a_sweep_of_the_first_schema_knows_the_name_of_its_data() -> None:
    data = {name: item for name, item in to_json(record()).items() if name not in ("schema", "fidelity")}
    found = decode(json.dumps({"schema": 1, "budget": 700, **data}).encode()).fidelity
    assert found == Fidelity(evaluator=UNKNOWN, data="tokenworld-128:unknown", size="128x128", budget=700)
    pruned = {name: item for name, item in data.items() if name != "metrics"}
    assert decode(json.dumps({"schema": 1, **pruned}).encode()).fidelity.data == UNKNOWN


def test_what_is_unknown_is_completed_by_one_that_agrees_in_the_rest() -> None:
    old = replace(FIDELITY, evaluator=UNKNOWN, data=f"tokenworld-128:{UNKNOWN}")
    assert old.completed(FIDELITY) == FIDELITY
    assert replace(old, evaluator="mmseg:1").completed(FIDELITY) == replace(old, evaluator="mmseg:1")
    assert replace(old, budget=1).completed(FIDELITY) == replace(old, budget=1)
    assert replace(old, data=f"other:{UNKNOWN}").completed(FIDELITY) == replace(old, data=f"other:{UNKNOWN}")

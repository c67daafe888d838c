"""The records as columns of the page."""

import json
from pathlib import Path

from analysis.reports.pages.run.columns import columns
from tests.analysis_tests.reports.pages.run.runs import facts, some


def test_every_column_has_a_value_for_every_record(tmp_path: Path) -> None:
    records = some()
    told = columns(facts(tmp_path, records))
    plain = [value for value in told.values() if isinstance(value, list) and value is not told["states"]]
    coded = [*(told[name]["of"] for name in ("size", "words", "reason")), *(one["of"] for one in told["axes"].values())]
    assert {len(column) for column in [*plain, *coded, *told["parts"].values()]} == {len(records)}
    json.dumps(told, allow_nan=False)


def test_the_front_comes_first_and_has_drawings(tmp_path: Path) -> None:
    told = columns(facts(tmp_path, some()))
    ranks = told["rank"]
    assert ranks[:12] == sorted(ranks[:12])
    assert ranks[12:] == [None, None]
    assert set(told["drawings"]) == set(told["records"]) == set(range(12))
    assert all(drawing.startswith("<svg") for drawing in told["drawings"].values())
    assert told["states"][told["state"][12]] == "pruned"
    assert [told["x"][12], told["y"][12]] == [9.5, None]


def test_a_run_without_records_has_empty_columns(tmp_path: Path) -> None:
    told = columns(facts(tmp_path, []))
    assert (told["id"], told["drawings"], told["axes"]) == ([], {}, {})

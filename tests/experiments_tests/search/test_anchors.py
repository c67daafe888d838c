"""Anchors of one's own: presets, design files and designs of other runs."""

import json
from functools import partial
from pathlib import Path

import pytest

from analysis.records.record import JsonlStore
from experiments.search.study import Study
from experiments.search.sweep import run_sweep
from search_space.spaces.space import space
from tests.experiments_tests.search.stand_in import Formula, definition
from topformer.codec import to_json
from topformer.errors import StudyError

PAPER = space("paper", base="nano", height=128, width=128)


def test_a_file_and_a_design_of_another_run_are_tried_first(tmp_path: Path) -> None:
    make = partial(Formula, log=tmp_path / "log")
    run_sweep(definition(trials=3), tmp_path / "other", evaluator=make)
    found = JsonlStore(tmp_path / "other" / "records.jsonl").read().records[-1]
    mine = PAPER.sample(5, 1)[0]
    (tmp_path / "mine.json").write_text(json.dumps(to_json(mine.design)))
    anchors = [str(tmp_path / "mine.json"), f"{tmp_path / 'other'}:{found.fingerprint[:8]}"]
    run_sweep(definition(trials=3, anchors=anchors), tmp_path / "run", evaluator=make)
    records = JsonlStore(tmp_path / "run" / "records.jsonl").read().records
    assert [record.fingerprint for record in records] == [PAPER.base.fingerprint, mine.fingerprint, found.fingerprint]
    assert {record.origin for record in records} == {"anchor"}


@pytest.mark.parametrize("anchor", ["tinny", "no.json", "nowhere:3f9a", "base"])
def test_an_anchor_that_cannot_be_is_refused_by_name(anchor: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=f"anchors: '{anchor}'"):
        Study.of(definition(anchors=[anchor]), partial(Formula, log=tmp_path / "log"))

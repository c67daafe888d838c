"""The rungs that a study tells."""

from pathlib import Path
from typing import Any

import pytest

from analysis.reports.study_rungs import study_rungs
from topformer.errors import StudyError

SPACE = {"height": 128, "width": 128}


def test_who_goes_on_is_said_in_words() -> None:
    rungs: list[dict[str, Any]] = [
        {"metric": "a", "evaluator": {"kind": "count"}, "budget": 0, "keep": 5, "strata": ["depth", "head"]},
        {"metric": "b", "evaluator": {"kind": "lean"}, "budget": 600, "eta": 2, "strata": []},
        {"metric": "b", "evaluator": {"kind": "lean"}, "budget": 1200, "strata": []},
    ]
    found = study_rungs(Path("study.json"), {"rungs": rungs, "space": SPACE})
    assert [one.promotion for one in found] == ["the best 5, compared by depth, head", "one in 2", ""]
    assert [one.fidelity.budget for one in found] == [0, 600, 1200]
    assert study_rungs(Path("study.json"), {"space": SPACE}) == ()


@pytest.mark.parametrize("rungs", ["three", [3], [{"metric": "a"}]])
def test_a_rung_that_says_too_little_is_named(rungs: object) -> None:
    with pytest.raises(StudyError, match=r"study.json: rung 1 must have a metric, an evaluator and a budget, got"):
        study_rungs(Path("study.json"), {"rungs": rungs, "space": SPACE})

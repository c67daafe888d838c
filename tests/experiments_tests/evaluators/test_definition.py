"""Where an accuracy comes from, as a table of a study file: which keys each kind needs, and which it refuses."""

from typing import Any

import pytest

from experiments.evaluators.definition import EvaluatorDefinition
from topformer.errors import StudyError
from topformer.schema import read


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "lean", "budget": 3}, "evaluator.data is missing: 'lean' works on a data set"),
        ({"kind": "lean", "data": "x"}, "evaluator.budget is missing: 'lean' trains for so long"),
        ({"kind": "proxy"}, "evaluator.data is missing: 'proxy' works on a data set"),
        (
            {"kind": "proxy", "data": "x", "budget": 9},
            "evaluator.budget must be left out, as 'proxy' needs none, got 9",
        ),
        ({"kind": "count", "data": "x"}, "evaluator.data must be left out, as 'count' needs none, got 'x'"),
        ({"kind": "count", "budget": 0}, "evaluator.budget must be an integer of at least 1, got 0"),
    ],
)
def test_each_kind_has_the_keys_that_it_needs(values: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=f"^{message}"):
        read(EvaluatorDefinition, values, "evaluator")


def test_what_trains_nothing_has_no_budget() -> None:
    assert read(EvaluatorDefinition, {"kind": "count"}, "evaluator").budget == 0
    assert read(EvaluatorDefinition, {"kind": "proxy", "data": "tokenworld"}, "evaluator").budget == 0

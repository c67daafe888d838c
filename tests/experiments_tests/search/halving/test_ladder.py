"""Rungs of a study file."""

from pathlib import Path
from typing import Any

import pytest

from tests.experiments_tests.search.halving.ladders import LEAN, definition, ladder, tables
from topformer.errors import SpaceError, StudyError

RUNGS = tables()["rung"]


def test_the_last_rung_is_the_evaluator_of_the_study() -> None:
    found = definition()
    assert found.evaluator == found.rung[-1].evaluator
    assert (found.wanted, found.evaluations) == ((8, 4, 2), 4)


def test_every_rung_has_a_fidelity_of_its_own_and_the_identity_of_the_whole(tmp_path: Path) -> None:
    found = ladder(tmp_path)
    assert len({study.fidelity for study in found.rungs}) == 3
    assert len({study.identity for study in found.rungs}) == 1
    assert [study.objectives[0].name for study in found.rungs] == ["score@formula", "miou@formula", "miou@formula"]
    assert found.top.description["rungs"][0]["keep"] == 4
    assert ladder(tmp_path, seed=4).top.identity != found.top.identity


def test_a_budget_goes_on_from_the_one_below_where_both_are_parts_of_one_schedule(tmp_path: Path) -> None:
    found = ladder(tmp_path)
    assert found.continues == (False, False, True)
    candidate = found.top.space.base
    assert found.below(2, candidate, 3) == found.key(1, candidate, 3)
    # The other seeds have no lower rung, and are paid in full.
    assert found.below(2, candidate, 4) is None
    assert [found.iterations(number) for number in range(3)] == [5, 10, 10]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"rung": RUNGS[2:]},
            r"a rung needs a lower one or a higher one, got a single rung: write it as \[evaluator\]",
        ),
        ({"evaluator": {**LEAN, "budget": 5}}, "evaluator must be left out where rungs are given"),
        ({"rung": [{**RUNGS[0], "keep": None}, *RUNGS[1:]]}, "keep must be"),
        (
            {"rung": [{"evaluator": RUNGS[0]["evaluator"]}, *RUNGS[1:]]},
            r"rungs\[1\] must say how many go on.* got neither",
        ),
        ({"rung": [{**RUNGS[0], "eta": 2}, *RUNGS[1:]]}, r"rungs\[1\] must say how many go on.* got both"),
        ({"rung": [{**RUNGS[0], "keep": 9}, *RUNGS[1:]]}, r"rungs\[1\].keep must be at most the 8 designs"),
        ({"rung": [{**RUNGS[0], "seeds": 2}, *RUNGS[1:]]}, r"rungs\[1\].seeds must be 1 below the last rung, got 2"),
        ({"rung": [*RUNGS[:2], {**RUNGS[2], "keep": 1}]}, r"rungs\[3\] is the last"),
        ({"rung": [{**RUNGS[0], "budget": 3}, *RUNGS[1:]]}, r"unknown key of rungs\[1\] 'budget'"),
        ({"rung": "three"}, "rung must be a list"),
        ({"rung": None, "evaluator": {**LEAN, "budget": 5}, "rounds": 2}, "rounds is for studies with rungs"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        definition(**changes)


def test_strata_are_axes_of_the_space(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="unknown axis of space 'paper' 'stride'"):
        ladder(tmp_path, rung=[{**RUNGS[0], "strata": ["stride"]}, *RUNGS[1:]])


def test_two_rungs_do_not_evaluate_alike(tmp_path: Path) -> None:
    alike = [RUNGS[0], {**RUNGS[1], "evaluator": RUNGS[2]["evaluator"]}, RUNGS[2]]
    with pytest.raises(StudyError, match=r"rungs\[3\] evaluates as rungs\[2\] does: .*; leave one of them out"):
        ladder(tmp_path, rung=alike)

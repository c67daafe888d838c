"""A whole space judged at once: the front is exact, what is recorded comes in order, and a sweep runs through it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.records.record import JsonlStore
from analysis.reports.run_report import pareto_plot, read_run
from experiments.evaluators import evaluator
from experiments.search.definition import StudyDefinition
from experiments.search.study import Study
from experiments.search.sweep import run_sweep
from experiments.search.whole import SUREST, judged
from tests.experiments_tests.search.stand_in import Formula, definition
from topformer.errors import StudyError

SPACE = {
    "name": "paper",
    "base": "small",
    "height": 512,
    "width": 512,
    "only": {
        "injected": ["4+8+16+32", "8+16+32", "16+32"],
        "depth": ["2", "4"],
        "heads": ["6"],
        "pooled": ["all"],
        "width": ["64", "128", "192"],
    },
}


def whole(**changes: Any) -> StudyDefinition:
    """A study of 162 designs around Small."""
    values = {"sampler": "whole", "evaluator": {"kind": "published"}, "space": SPACE, "limits": {"latency_ms": 100}}
    return definition(**(values | changes))


def study(wanted: StudyDefinition) -> Study:
    made = evaluator(wanted.evaluator.kind, None, wanted.evaluator.settings)
    return Study.of(wanted, lambda: made)


def test_the_front_is_that_of_every_design_within_the_limits_compared_with_every_other() -> None:
    wanted = whole()
    prepared = study(wanted)
    found = prepared.judged()
    candidates = [found.listed.candidate(place) for place in found.order.tolist()]
    milliseconds = found.listed.latency.milliseconds[found.order]
    accuracies, doubts = evaluator("published", None).judge(candidates)  # type: ignore[attr-defined]
    within = prepared.screen.device.estimate_many(list(prepared.space)).probability_above(100) <= 0.95  # type: ignore[union-attr]
    assert len(found.order) == within.sum() < prepared.space.count() == len(found.listed)
    beaten = [
        bool(((accuracies >= a) & (milliseconds <= ms) & ((accuracies > a) | (milliseconds < ms))).any())
        for a, ms in zip(accuracies, milliseconds, strict=True)
    ]
    assert beaten == [False] * found.front + [True] * (len(candidates) - found.front)
    assert (np.diff(milliseconds[: found.front]) > 0).all()
    others = doubts[found.front :]
    assert others[:SUREST].max() <= others[SUREST:].min()


def test_another_seed_draws_other_designs_and_the_same_front() -> None:
    prepared = study(whole())
    made = evaluator("count", None)
    orders = [
        judged(whole(seed=seed, evaluator={"kind": "count"}), prepared.space, prepared.screen, made)  # type: ignore[arg-type]
        for seed in (0, 1)
    ]
    front = orders[0].front
    assert orders[0].order[:front].tolist() == orders[1].order[:front].tolist()
    assert orders[0].order[front:].tolist() != orders[1].order[front:].tolist()


def test_a_sweep_records_presets_front_and_more_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    front = study(whole()).judged().front
    run_sweep(whole(trials=front), tmp_path)
    run_sweep(whole(trials=front + 3), tmp_path)
    records = list(JsonlStore(tmp_path / "records.jsonl"))
    assert len({record.fingerprint for record in records}) == len(records) == front + 3
    assert {record.details["support"] for record in records} >= {"published", "extrapolated"}
    plot = pareto_plot(read_run(tmp_path))
    assert sum(rank == 0 for rank in plot.front.ranks) == front
    assert plot.caption[0].startswith("All ")
    assert len(plot.published) > 4
    assert set(plot.support) == {record.fingerprint for record in records}


def test_an_evaluator_that_trains_cannot_judge_a_space_at_once(tmp_path: Path) -> None:
    wanted = whole(evaluator={"kind": "lean", "data": "tokenworld", "budget": 3})
    with pytest.raises(StudyError, match="sampler 'whole' needs an evaluator that judges every design at once: count"):
        Study.of(wanted, lambda: Formula(log=tmp_path / "log"))

"""An entry of the shipped table, made again from what the table says of itself."""

from pathlib import Path

import pytest

from analysis.results.truth_files import truth_table
from experiments.evaluators.definition import study_evaluator
from experiments.ladder.pool import Pool
from experiments.search.shipped import study

TOLERANCE = 4.0
"""Percentage points, three standard deviations of the difference of two seeds: another CPU rounds otherwise."""


@pytest.mark.slow
def test_the_entry_of_nano_can_be_made_again(tmp_path: Path) -> None:
    table, made = truth_table("nano-tokenworld"), study("nano-truth")
    candidate = Pool.of(table).space.base
    entry = next(score for score in table.scores[table.truth] if score.fingerprint == candidate.fingerprint)
    evaluator = study_evaluator(made.evaluator, height=128, width=128, data=tmp_path, note=lambda _text: None)()
    found = evaluator.evaluate(candidate, budget=table.truth.iterations, seed=entry.seed, folder=tmp_path / "training")
    assert found.value == pytest.approx(entry.value, abs=TOLERANCE)
    assert evaluator.metric == table.truth.metric

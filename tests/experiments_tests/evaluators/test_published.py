"""The published evaluator: its units, its interval, what a record keeps, and what it refuses."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from experiments.evaluators.base import WholesaleEvaluator
from experiments.evaluators.count import CountEvaluator
from experiments.evaluators.published import PublishedEvaluator
from search_space.candidate import Candidate
from tests.experiments_tests.evaluators.conformance import UntrainedConformance
from topformer.errors import EvaluationError, StudyError
from topformer.presets import NANO, SMALL

AT_512 = Candidate(design=SMALL, height=512, width=512)


class TestConformance(UntrainedConformance):
    kind = "published"
    values: ClassVar[Mapping[str, Any]] = {"batch": 16}
    other: ClassVar[Mapping[str, Any]] = {"source": "release"}
    metric = "miou@published-ade20k"
    source = "surrogate"
    candidate = AT_512


def test_small_is_predicted_near_the_paper_with_its_interval_and_support(tmp_path: Path) -> None:
    found = PublishedEvaluator.read(None, {}).evaluate(AT_512, budget=0, seed=0, folder=tmp_path)
    metric = found.metrics()["miou@published-ade20k"]
    assert metric.low is not None
    assert metric.high is not None
    assert metric.low < 36.1 < metric.high
    assert metric.high - metric.low < 2.5
    assert found.details()["support"] == "published"
    assert found.details()["changed"] == []


def test_a_change_is_named(tmp_path: Path) -> None:
    changed = replace(AT_512, design=replace(SMALL, width=64, pool_stride=128))
    found = PublishedEvaluator.read(None, {}).evaluate(changed, budget=0, seed=0, folder=tmp_path)
    assert found.remarks == {"support": "extrapolated", "changed": ["width", "pooling stride"]}


@pytest.mark.parametrize("made", [PublishedEvaluator.read(None, {}), CountEvaluator.read(None, {})])
def test_many_are_judged_as_each_alone(made: WholesaleEvaluator, tmp_path: Path) -> None:
    candidates = [AT_512, replace(AT_512, design=replace(SMALL, width=64))]
    alone = [made.evaluate(one, budget=0, seed=0, folder=tmp_path) for one in candidates]
    assert made.judge(candidates) == pytest.approx(np.array([[one.value, one.error or 0] for one in alone]).T)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "ade20"}, "unknown evaluator.settings.dataset 'ade20'; did you mean 'ade20k'"),
        ({"batch": 8}, "batch of published points on ade20k must be 16 to 32, got 8"),
        ({"iterations": 80_000}, "iterations of published points on ade20k must be 160000, got 80000"),
        ({"dataset": "coco-stuff-10k", "source": "release"}, "source of published points on coco-stuff-10k must be"),
    ],
)
def test_a_training_of_which_nothing_was_published_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        PublishedEvaluator.read(None, settings)


def test_a_design_without_anchors_is_a_failed_evaluation(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="nothing near this design was published on ade20k: images of 448 to 512"):
        PublishedEvaluator.read(None, {}).evaluate(
            Candidate(design=NANO, height=128, width=128), budget=0, seed=0, folder=tmp_path
        )


def test_predicting_needs_no_torch() -> None:
    program = "import sys, experiments.evaluators.published; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

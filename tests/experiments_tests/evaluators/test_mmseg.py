"""The mmsegmentation evaluator, and what its loop shares with the lean one."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from experiments.data.folders import VALIDATION
from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators import evaluator
from experiments.evaluators.lean import LeanEvaluator
from experiments.evaluators.mmseg import MmsegEvaluator
from experiments.training.lean.decoded import Decoded
from experiments.training.lean.loop import Training
from experiments.training.mmseg.parts import ScoresMetric
from experiments.training.recipes import SCRATCH, with_size
from experiments.training.scores import scores
from search_space.candidate import Candidate
from tests.experiments_tests.evaluators.conformance import CANDIDATE, EvaluatorConformance, stop_at, weights
from topformer.errors import EvaluationError, StudyError
from topformer.presets import NANO

RECIPE = replace(SCRATCH, batch=4)


class TestConformance(EvaluatorConformance):
    kind = "mmseg"
    values: ClassVar[Mapping[str, Any]] = {"batch": 4, "checkpoint_every": 2}
    other: ClassVar[Mapping[str, Any]] = {"flip": 0.0}
    same: ClassVar[Mapping[str, Any]] = {"workers": 2, "checkpoint_every": 7}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4)


def test_validations_are_kept_in_a_file(data: Path, tmp_path: Path) -> None:
    found = evaluator("mmseg", data, {"batch": 4, "validations": 2}).evaluate(
        CANDIDATE, budget=4, seed=2, folder=tmp_path
    )
    kept = json.loads((tmp_path / "validations.json").read_text())["miou"]
    assert list(kept) == ["2", "4"]
    assert found.best == max(kept.values())


def test_its_scores_are_what_the_lean_validation_gives_the_same_weights(data: Path, tmp_path: Path) -> None:
    made = MmsegEvaluator(data, RECIPE)
    found = made.evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path)
    recipe, cpu = with_size(RECIPE, 64, 64), torch.device("cpu")
    decoded = Decoded(made.folder, stacked=True)
    training = Training(NANO, recipe, decoded.batches(recipe, 0, cpu), device=cpu)
    training.model.load_state_dict(weights(tmp_path))
    # OpenCV and Pillow may decode a JPEG differently by one grey level.
    ours = scores(training.validate(decoded.split(VALIDATION, recipe, cpu)))
    assert ours.miou == pytest.approx(found.value, abs=0.5)


def test_it_starts_from_the_lean_loops_weights(data: Path, tmp_path: Path) -> None:
    slow = {"batch": 4, "learning_rate": 1e-9}
    for kind in ("lean", "mmseg"):
        evaluator(kind, data, slow).evaluate(CANDIDATE, budget=1, seed=4, folder=tmp_path / kind)
    one, other = (weights(tmp_path / kind) for kind in ("lean", "mmseg"))
    for name in one:
        if "running" not in name and "num_batches" not in name:
            assert torch.allclose(one[name], other[name], rtol=0, atol=1e-7), name


def test_a_training_stopped_before_its_last_validation_is_still_scored(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MmsegEvaluator(data, RECIPE)

    def stopped(*_: object) -> dict[str, float]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ScoresMetric, "compute_metrics", stopped)
        with pytest.raises(KeyboardInterrupt):
            made.evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path)
    assert made.evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path, progress=stop_at(1)).value >= 0


def test_a_loss_that_is_not_finite_is_an_error_with_the_iteration(data: Path, tmp_path: Path) -> None:
    diverging = MmsegEvaluator(data, replace(RECIPE, learning_rate=1e30))
    with pytest.raises(EvaluationError, match=r"the loss is nan at iteration [23] of 5"):
        diverging.evaluate(CANDIDATE, budget=5, seed=0, folder=tmp_path)


def test_mixed_precision_without_a_gpu_is_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StudyError, match="precision bfloat16 needs a CUDA device"):
        MmsegEvaluator(data, replace(RECIPE, precision="bfloat16")).evaluate(
            CANDIDATE, budget=1, seed=0, folder=tmp_path
        )


def test_a_loss_with_a_stride_is_the_lean_loops_alone(data: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="mmsegmentation's loss counts every pixel, got loss_stride 2"):
        MmsegEvaluator(data, replace(RECIPE, loss_stride=2)).evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)


def test_resizing_cropping_distorting_and_another_input_size_are_trained(data: Path, tmp_path: Path) -> None:
    augmented = replace(RECIPE, smallest_scale=0.5, largest_scale=2.0, distort=True)
    smaller = Candidate(design=NANO, height=32, width=64)
    found = MmsegEvaluator(data, augmented).evaluate(smaller, budget=2, seed=0, folder=tmp_path)
    assert math.isfinite(found.value)


def test_both_loops_score_images_of_another_shape_than_the_network_alike(data: Path, tmp_path: Path) -> None:
    """Squeezed by one loop and not by the other, they would have two scores."""
    wide = Candidate(design=NANO, height=32, width=96)
    slow = replace(RECIPE, learning_rate=1e-9)
    found = [
        made.evaluate(wide, budget=1, seed=0, folder=tmp_path / made.kind)
        for made in (MmsegEvaluator(data, slow), LeanEvaluator(data, slow))
    ]
    assert found[0].value == pytest.approx(found[1].value, abs=0.5)

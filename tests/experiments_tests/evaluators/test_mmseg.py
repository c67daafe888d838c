"""Training with mmsegmentation: end to end on a small data set, resumed, and quiet."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators.base import Progress
from experiments.evaluators.lean import LeanEvaluator
from experiments.evaluators.mmseg import LOGS, MmsegEvaluator
from experiments.training.lean.loop import pixel_loss
from experiments.training.mmseg.data import build_dataset
from experiments.training.mmseg.hooks import ScoresMetric, build_runner, validation_pipeline
from experiments.training.optimizer import build_optimizer
from experiments.training.outcome import RESULT, WEIGHTS
from experiments.training.schedule import learning_rate_factor
from experiments.training.scores import scores
from experiments.training.settings import LeanSettings, MmsegSettings
from search_space.candidate import Candidate
from topformer.errors import EvaluationError, StudyError
from topformer.network import TopFormer
from topformer.presets import NANO

CANDIDATE = Candidate(design=NANO, height=64, width=64)
SETTINGS = MmsegSettings(batch=4, checkpoint_every=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4)


def stop_at(update: int) -> Progress:
    def progress(done: int, _: int) -> None:
        if done == update:
            raise KeyboardInterrupt

    return progress


def test_a_training_gives_an_accuracy_and_is_silent(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    evaluator = MmsegEvaluator(data, replace(SETTINGS, validations=2))
    done: list[int] = []
    found = evaluator.evaluate(
        CANDIDATE, budget=4, seed=2, folder=tmp_path, progress=lambda update, _: done.append(update)
    )
    assert capfd.readouterr() == ("", "")
    assert done == [1, 2, 3, 4]
    assert (found.metric, found.source, found.budget, found.seed) == ("miou@tokenworld-64", "trained", 4, 2)
    assert found.value == pytest.approx(np.mean(list(found.per_class.values())))
    assert set(found.groups) <= {"texture", "context", "fine", "rare"}
    assert len(json.loads((tmp_path / "validations.json").read_text())["miou"]) == 2
    TopFormer(NANO).load_state_dict(torch.load(tmp_path / WEIGHTS, weights_only=True), strict=True)
    assert evaluator.evaluate(CANDIDATE, budget=4, seed=2, folder=tmp_path, progress=stop_at(1)) == found


def test_its_scores_are_what_the_lean_validation_gives_the_same_weights(data: Path, tmp_path: Path) -> None:
    found = MmsegEvaluator(data, SETTINGS).evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path)
    lean = LeanEvaluator(data, LeanSettings(batch=4, device="cpu"))
    training = lean._training(CANDIDATE, budget=1, seed=0)
    training.model.load_state_dict(torch.load(tmp_path / WEIGHTS, weights_only=True))
    # OpenCV and Pillow may decode a JPEG differently by one grey level.
    ours = scores(training.validate(lean._split("validation", training.device)))
    assert ours.miou == pytest.approx(found.value, abs=0.5)


def test_an_interrupted_training_goes_on_from_its_last_checkpoint(data: Path, tmp_path: Path) -> None:
    evaluator = MmsegEvaluator(data, SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        evaluator.evaluate(CANDIDATE, budget=6, seed=0, folder=tmp_path / "a", progress=stop_at(5))
    # Wherever the folder is by then.
    (tmp_path / "a").rename(tmp_path / "b")
    done: list[int] = []
    evaluator.evaluate(
        CANDIDATE, budget=6, seed=0, folder=tmp_path / "b", progress=lambda update, _: done.append(update)
    )
    assert done == [5, 6]
    assert (tmp_path / "b" / RESULT).exists()
    assert not list((tmp_path / "b" / LOGS).glob("*.pth"))
    evaluator.evaluate(CANDIDATE, budget=6, seed=0, folder=tmp_path / "whole")
    resumed, whole = (torch.load(tmp_path / name / WEIGHTS, weights_only=True) for name in ("b", "whole"))
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_a_training_stopped_before_its_last_validation_is_still_scored(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluator = MmsegEvaluator(data, SETTINGS)

    def stopped(*_: object) -> dict[str, float]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ScoresMetric, "compute_metrics", stopped)
        with pytest.raises(KeyboardInterrupt):
            evaluator.evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path)
    assert evaluator.evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path, progress=stop_at(1)).value >= 0


def test_a_loss_that_is_not_finite_is_an_error_with_the_update(data: Path, tmp_path: Path) -> None:
    diverging = MmsegEvaluator(data, replace(SETTINGS, learning_rate=1e30))
    with pytest.raises(EvaluationError, match=r"the loss is nan at update [23] of 5"):
        diverging.evaluate(CANDIDATE, budget=5, seed=0, folder=tmp_path)


def test_the_generators_of_the_process_are_left_alone(data: Path, tmp_path: Path) -> None:
    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(1))  # noqa: NPY002

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    expected = draws()
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])
    MmsegEvaluator(data, SETTINGS).evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)
    assert draws() == expected


def test_mixed_precision_without_a_gpu_is_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StudyError, match="precision bfloat16 needs a CUDA device"):
        MmsegEvaluator(data, replace(SETTINGS, precision="bfloat16")).evaluate(
            CANDIDATE, budget=1, seed=0, folder=tmp_path
        )


def test_resizing_cropping_distorting_and_another_input_size_are_trained(data: Path, tmp_path: Path) -> None:
    settings = MmsegSettings.release(batch=4, distort=True)
    smaller = Candidate(design=NANO, height=32, width=64)
    found = MmsegEvaluator(data, settings).evaluate(smaller, budget=2, seed=0, folder=tmp_path)
    assert math.isfinite(found.value)


# The parts that both evaluators share


@pytest.fixture
def runner(data: Path, tmp_path: Path) -> Any:
    return build_runner(
        open_folder(data),
        replace(SETTINGS, warmup=0.3, power=0.9, head_multiplier=10.0),
        CANDIDATE,
        budget=10,
        seed=4,
        work=tmp_path,
        resume_from=None,
        hooks=[],
        metric=ScoresMetric(prefix="validation"),
    )


def test_the_learning_rate_is_the_lean_loops(runner: Any) -> None:
    wrapper = runner.optim_wrapper
    schedulers = runner.build_param_scheduler(runner.param_schedulers)
    peaks = [group["peak"] for group in wrapper.optimizer.param_groups]
    for update in range(10):
        factor = learning_rate_factor(update, budget=10, warmup=3, power=0.9)
        assert [group["lr"] for group in wrapper.optimizer.param_groups] == pytest.approx(
            [peak * factor for peak in peaks]
        )
        wrapper.step()
        for scheduler in schedulers:
            scheduler.step()


def test_training_starts_from_the_lean_loops_weights_and_loss(runner: Any, data: Path) -> None:
    torch.manual_seed(4)
    network = TopFormer(NANO)
    stem = network.state_dict()["backbone.pyramid.stem.conv.weight"]
    assert torch.equal(runner.model.backbone.body.pyramid.stem.conv.weight, stem)
    sample = build_dataset(open_folder(data), "validation", validation_pipeline(64, 64))[0]
    logits = torch.randn(1, 11, 8, 8, generator=torch.Generator().manual_seed(0))
    theirs = runner.model.decode_head.loss_by_feat(logits, [sample["data_samples"]])["loss_ce"]
    labels = sample["data_samples"].gt_sem_seg.data
    torch.testing.assert_close(pixel_loss(logits, labels), theirs)


def test_the_head_learns_faster_and_normalisation_layers_do_not_decay() -> None:
    network = TopFormer(NANO)
    settings = LeanSettings(learning_rate=1e-3, head_multiplier=10.0, weight_decay=0.05)
    groups = build_optimizer(network.backbone, network.head, settings).param_groups
    found = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    named = {name: found[id(parameter)] for name, parameter in network.named_parameters()}
    assert named["backbone.pyramid.stem.norm.weight"] == (1e-3, 0)
    assert named["backbone.pyramid.stem.conv.weight"] == (1e-3, 0.05)
    assert named["head.fuse.norm.bias"] == (1e-2, 0)
    assert named["head.classifier.bias"] == (1e-2, 0.05)

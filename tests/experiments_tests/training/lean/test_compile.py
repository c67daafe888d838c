"""What the lean loop's network may be compiled with, and where it says why it cannot."""

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators.lean import LeanEvaluator
from experiments.training.lean.compile import compiled
from experiments.training.settings import LeanSettings
from search_space.candidate import Candidate
from topformer.errors import EvaluationError, StudyError
from topformer.presets import NANO

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
CANDIDATE = Candidate(design=NANO, height=64, width=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=8, validation=2)


def test_cuda_graphs_on_a_cpu_are_refused(data: Path, tmp_path: Path) -> None:
    evaluator = LeanEvaluator(data, LeanSettings(compile="cudagraphs", device="cpu"))
    with pytest.raises(StudyError, match="cudagraphs needs a CUDA device, got cpu; accepted here: none, inductor"):
        evaluator.evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)


def test_inductor_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(StudyError, match=r"inductor needs a C\+\+ compiler \(c\+\+, g\+\+, clang\+\+\)"):
        compiled(torch.nn.Identity(), "inductor", CPU)


def test_inductor_on_a_gpu_without_triton_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(StudyError, match="inductor needs triton on a CUDA device; accepted here: none, cudagraphs"):
        compiled(torch.nn.Identity(), "inductor", CUDA)


def test_an_unknown_compiler_is_refused_with_what_is_accepted() -> None:
    with pytest.raises(StudyError, match=r"compile of the evaluator 'jit'.*accepted: none, inductor, cudagraphs"):
        LeanSettings(compile="jit")


def test_a_training_runs_through_the_network_that_torch_compiled(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []

    def compiling(model: Any, *, backend: str) -> Any:
        assert backend == "inductor"

        def run(images: torch.Tensor) -> Any:
            calls.append(tuple(images.shape))
            return model(images)

        return run

    monkeypatch.setattr(torch, "compile", compiling)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    settings = LeanSettings(batch=4, device="cpu", compile="inductor")
    training = LeanEvaluator(data, settings)._training(CANDIDATE, budget=5, seed=0)
    bias = training.model.get_parameter("head.classifier.bias")
    before = bias.clone()
    training.step()
    assert calls == [(4, 3, 64, 64)]
    assert not torch.equal(bias, before)


def test_how_a_network_is_compiled_is_no_part_of_the_number() -> None:
    assert LeanSettings(compile="inductor").describe() == LeanSettings().describe()


def test_where_looking_at_the_loss_costs_time_a_checkpoint_still_holds_none_that_is_not_finite(
    data: Path, tmp_path: Path
) -> None:
    settings = LeanSettings(batch=4, device="cpu")
    training = LeanEvaluator(data, replace(settings, learning_rate=1e30))._training(CANDIDATE, budget=9, seed=0)
    training._check_every = 20
    for _ in range(4):
        training.step()
    with pytest.raises(EvaluationError, match="the loss is nan at update 4 of 9"):
        training.save(tmp_path / "checkpoint.pt")
    assert not list(tmp_path.iterdir())

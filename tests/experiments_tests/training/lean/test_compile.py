"""What the lean loop's network may be compiled with, and where it says why it cannot."""

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators.lean import LeanEvaluator
from experiments.training.lean.compile import compiled
from experiments.training.lean.decoded import Decoded
from experiments.training.lean.loop import Training
from experiments.training.recipes import SCRATCH, Recipe, with_size
from experiments.training.settings import Machine
from search_space.candidate import Candidate
from topformer.errors import EvaluationError, StudyError
from topformer.presets import NANO

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
CANDIDATE = Candidate(design=NANO, height=64, width=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=8, validation=2)


def begun(data: Path, recipe: Recipe, **settings: Any) -> Training:
    """A training of NANO at 64 px."""
    fitting = with_size(recipe, 64, 64)
    batches = Decoded(open_folder(data), stacked=True).batches(fitting, 0, CPU)
    return Training(NANO, fitting, batches, device=CPU, **settings)


def test_cuda_graphs_on_a_cpu_are_refused(data: Path, tmp_path: Path) -> None:
    evaluator = LeanEvaluator(data, machine=Machine(compile="cudagraphs", device="cpu"))
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
    with pytest.raises(StudyError, match=r"compile of the training 'jit'.*accepted: none, inductor, cudagraphs"):
        Machine(compile="jit")


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
    training = begun(data, replace(SCRATCH, batch=4, iterations=5), compiler="inductor")
    bias = training.model.get_parameter("head.classifier.bias")
    before = bias.clone()
    training.step()
    assert calls == [(4, 3, 64, 64)]
    assert not torch.equal(bias, before)


def test_how_a_network_is_compiled_is_no_part_of_the_number(data: Path) -> None:
    described = [LeanEvaluator(data, machine=Machine(compile=how)).describe() for how in ("none", "inductor")]
    assert described[0] == described[1]


def test_where_looking_at_the_loss_costs_time_a_checkpoint_still_holds_none_that_is_not_finite(
    data: Path, tmp_path: Path
) -> None:
    diverging = replace(SCRATCH, batch=4, iterations=9, learning_rate=1e30)
    training = begun(data, diverging, check_every=20)
    for _ in range(4):
        training.step()
    with pytest.raises(EvaluationError, match="the loss is nan at iteration 4 of 9"):
        training.save(tmp_path / "checkpoint.pt")
    assert not list(tmp_path.iterdir())

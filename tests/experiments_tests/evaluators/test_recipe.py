"""The recipe evaluator: a released recipe as the accuracy of an ablation or a sweep, on a miniature data set."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from analysis.records.record import Key
from experiments.cli import ablate as command
from experiments.data.tokenworld.write import write_tokenworld
from experiments.engines.engine import Done, Task
from experiments.engines.local import LocalEngine
from experiments.engines.workers import Workers
from experiments.evaluators import evaluator
from experiments.evaluators.base import fidelity_of
from experiments.evaluators.recipe import RecipeEvaluator
from search_space.candidate import Candidate
from tests.experiments_tests.engines.conformance import ended
from tests.experiments_tests.evaluators.conformance import EvaluatorConformance
from topformer.errors import InputError, StudyError
from topformer.network import TopFormer
from topformer.presets import BASE, TINY

# The release divides by all pixels, ignored ones too; mmsegmentation warns of that default of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Default ``avg_non_ignore`` is False:UserWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4)


class TestConformance(EvaluatorConformance):
    kind = "recipe"
    values: ClassVar[Mapping[str, Any]] = {"workers": 0}
    other: ClassVar[Mapping[str, Any]] = {"recipe": "ade20k-160k-b32"}
    same: ClassVar[Mapping[str, Any]] = {"workers": 1}


def test_a_neighbour_starts_from_slices_of_the_weights_that_are_given(data: Path, tmp_path: Path) -> None:
    weights = tmp_path / "tiny.pt"
    torch.save(TopFormer(replace(TINY, num_classes=11)).state_dict(), weights)
    made = RecipeEvaluator.read(data, {"checkpoints": {"tiny": str(weights)}, "workers": 0})
    narrow = Candidate(design=replace(TINY, width=64), height=64, width=64)
    # One step of AdamW moves a weight by about the learning rate, 3e-4; a start of its own would differ by 0.1.
    made.evaluate(narrow, budget=1, seed=0, folder=tmp_path / "run")
    began = torch.load(weights, weights_only=True)["backbone.pyramid.stem.conv.weight"]
    ended = torch.load(tmp_path / "run" / "weights.pt", weights_only=True)["backbone.pyramid.stem.conv.weight"]
    assert torch.allclose(began, ended, atol=1e-3)
    assert not list((tmp_path / "run").rglob("*.pth"))


def test_weights_of_other_classes_give_all_but_the_classifier_where_it_is_skipped(data: Path, tmp_path: Path) -> None:
    weights = tmp_path / "tiny.pt"
    torch.save(TopFormer(replace(TINY, num_classes=3)).state_dict(), weights)
    values = {"checkpoints": {"tiny": str(weights)}}
    made = RecipeEvaluator.read(data, {**values, "skip_classifier": True})
    job = made.job(Candidate(design=replace(TINY, num_classes=11), height=64, width=64), made.recipe, 0)
    state = job.starting_weights(tmp_path)
    assert state is not None
    assert state["head.classifier.weight"].shape[0] == 11
    began = torch.load(weights, weights_only=True)["backbone.pyramid.stem.conv.weight"]
    assert torch.equal(state["backbone.pyramid.stem.conv.weight"], began)
    assert made.describe() != RecipeEvaluator.read(data, values).describe()


def test_skipping_is_off_by_default_and_then_no_part_of_the_identity(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"one")
    values = {"checkpoints": {"tiny": str(path)}}
    off = RecipeEvaluator.read(data, {**values, "skip_classifier": False})
    assert off.describe() == RecipeEvaluator.read(data, values).describe()
    assert "classifier" not in str(off.describe())


@pytest.mark.slow
def test_by_default_loading_processes_work_within_a_worker(data: Path, tmp_path: Path) -> None:
    make = partial(evaluator, "recipe", data)
    candidate = Candidate(design=TINY, height=64, width=64)
    key = Key(candidate.fingerprint, fidelity_of(make(), height=64, width=64, budget=1), 0)
    (event,) = ended(LocalEngine(Workers(), logs=tmp_path / "logs"), [Task(key, make, candidate, tmp_path / "run")])
    assert isinstance(event, Done), (event, (tmp_path / "logs" / "worker-0.log").read_text())


def test_each_candidate_has_the_numbers_of_the_nearest_model(data: Path) -> None:
    made = RecipeEvaluator.read(data, {})
    tiny = made.recipe_of(Candidate(design=replace(TINY, width=96), height=512, width=512), 160_000)
    base = made.recipe_of(Candidate(design=BASE, height=448, width=448), 80_000)
    assert (tiny.learning_rate, tiny.crop, tiny.iterations, tiny.warmup_iterations) == (3e-4, (512, 512), 160_000, 1500)
    assert (base.learning_rate, base.crop, base.iterations, base.warmup_iterations) == (1.2e-4, (448, 448), 80_000, 750)


def test_other_weights_are_another_study(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    found = []
    for content in (b"one", b"two"):
        path.write_bytes(content)
        found.append(dict(RecipeEvaluator.read(data, {"checkpoints": {"tiny": str(path)}}).describe()))
    assert found[0] != found[1]
    assert found[0]["recipe"]["weight_decay"] == 0.01


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"recipe": "ade20k-160"}, "did you mean 'ade20k-160k'"),
        ({"precision": "fp16"}, "unknown precision of the training 'fp16'"),
        ({"workers": -1}, "workers must be an integer of at least 0, got -1"),
        ({"checkpoints": {"tinny": "x.pth"}}, "did you mean 'tiny'"),
        ({"checkpoints": {"tiny": "nowhere.pth"}}, "checkpoint of tiny: nowhere.pth is no file"),
        ({"checkpoints": {"tiny": 3}}, "checkpoint of tiny: 3 is no file"),
        ({"recipe": ["ade20k-160k"]}, "unknown recipe"),
        ({"checkpoints": "tiny.pth"}, "must map a model of the release to a file, got 'tiny.pth'"),
        ({"skip_classifier": True}, "skip_classifier says what of checkpoints is loaded, and there are no checkpoints"),
        ({"skip_classifier": 1}, "skip_classifier must be true or false, got 1"),
        ({"batch": 8}, "unknown evaluator setting 'batch'"),
    ],
)
def test_a_refused_setting_is_one_message(data: Path, values: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        RecipeEvaluator.read(data, values)


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


def test_a_table_is_planned_with_the_recipes_iterations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("table-4", "--recipe", "ade20k-160k", "--data", "ade", "--base", "paper", "--dry-run")
    assert command.run(arguments(*words, "--out", str(tmp_path / "runs"))) == 0
    assert "25 trainings of 160,000 iterations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--recipe", "ade20k-160k"), "needs --data PATH"),
        (("--evaluator", "recipe"), "go together"),
        (("--checkpoint", "tiny=a.pth"), "go together"),
        (("--recipe", "cityscapes", "--data", "x", "--checkpoint", "a.pth"), "--checkpoint must be MODEL=FILE"),
    ],
)
def test_what_does_not_go_together_is_one_message(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        command.run(arguments("table-4", *words, "--dry-run"))

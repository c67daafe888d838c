"""How many trainings an ablation runs beside each other where nothing says it."""

import argparse

import pytest

from experiments.cli import parser
from experiments.cli.workers import workers
from experiments.engines.workers import Workers
from experiments.evaluators.definition import EvaluatorDefinition
from topformer.errors import InputError

RECIPE = EvaluatorDefinition(kind="recipe", data="data/ade20k", budget=160_000, settings={"recipe": "ade20k-160k"})
ON_CPU = EvaluatorDefinition(kind="lean", data="tokenworld", budget=1200, settings={"device": "cpu"})


def arguments(*options: str) -> argparse.Namespace:
    return parser().parse_args(["ablate", "table-3", "--recipe", "ade20k-160k", "--data", "data/ade20k", *options])


@pytest.mark.parametrize(
    ("gpus", "options", "evaluator", "count"),
    [
        (1, (), RECIPE, 1),
        (2, ("--cpus", "0.1"), RECIPE, 2),
        (1, ("--gpus", "0.25", "--cpus", "0.1"), RECIPE, 4),
        (1, ("--cpus", "0.001"), ON_CPU, None),
        (0, ("--cpus", "0.001"), RECIPE, None),
    ],
)
def test_one_training_for_each_gpu_and_for_each_core_without_any(
    gpus: int,
    options: tuple[str, ...],
    evaluator: EvaluatorDefinition,
    count: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("experiments.cli.workers.gpus_here", lambda: gpus)
    found = workers(arguments(*options), evaluator).count
    assert found == count if count else found >= 1000


def test_what_is_asked_for_stays() -> None:
    asked = arguments("--workers", "3", "--cpus", "2", "--gpus", "0.5")
    assert workers(asked, RECIPE) == Workers(count=3, cpus=2, gpus=0.5)


def test_a_cluster_needs_a_number() -> None:
    with pytest.raises(InputError, match="--engine ray needs --workers"):
        workers(arguments("--engine", "ray"), RECIPE)

"""What may be set of a training: rules, names in study files, and the choice of an evaluator."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.evaluators import EVALUATORS, evaluator
from experiments.evaluators.lean import LeanEvaluator
from experiments.evaluators.mmseg import MmsegEvaluator
from experiments.evaluators.training import read_settings
from experiments.training.recipes import SCRATCH, Recipe
from experiments.training.schedule import learning_rate_factor
from experiments.training.settings import Machine
from topformer.errors import InputError, StudyError


def read(**values: Any) -> tuple[Recipe, Machine]:
    return read_settings(values, LeanEvaluator.settings, SCRATCH, Machine())


def test_settings_are_read_from_a_table() -> None:
    found = read(batch=4, learning_rate=1, threads=2, checkpoint_every=7)
    assert found == (replace(SCRATCH, batch=4, learning_rate=1), Machine(threads=2, checkpoint_every=7))


def test_an_unknown_setting_is_refused_with_the_nearest() -> None:
    with pytest.raises(StudyError, match=r"unknown evaluator setting 'learning_rat'; did you mean 'learning_rate'\?"):
        read(learning_rat=1e-3)


def test_a_setting_of_the_other_loop_is_unknown() -> None:
    with pytest.raises(StudyError, match="unknown evaluator setting 'workers'"):
        read(workers=2)
    with pytest.raises(StudyError, match="unknown evaluator setting 'loss_stride'"):
        read_settings({"loss_stride": 2}, MmsegEvaluator.settings, SCRATCH, Machine())


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("batch", 1, "at least 2"),
        ("batch", 8.0, "an integer"),
        ("batch", True, "an integer"),
        ("learning_rate", 0, "above 0"),
        ("learning_rate", float("nan"), "above 0"),
        ("weight_decay", -0.1, "at least 0"),
        ("warmup", 1.5, "share"),
        ("drop_path", 1, "below 1"),
        ("flip", "0.5", "probability"),
        ("precision", "float16", "float32, bfloat16"),
        ("device", "tpu", "auto, cpu, cuda"),
        ("threads", 0, "at least 1"),
        ("loss_stride", 0, "from 1 to 64"),
        ("loss_stride", 65, "from 1 to 64"),
        ("distort", 1, "true or false"),
    ],
)
def test_a_refused_value_is_shown_with_what_is_accepted(name: str, value: object, accepted: str) -> None:
    with pytest.raises(StudyError) as caught:
        read(**{name: value})
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)
    assert accepted in str(caught.value)


def test_all_mistakes_of_a_table_are_said_at_once() -> None:
    with pytest.raises(StudyError) as caught:
        read(learning_rat=1e-3, batch=1, threads=True)
    assert [line.split()[:3] for line in str(caught.value).splitlines()] == [
        ["3", "mistakes:"],
        ["unknown", "evaluator", "setting"],
        ["batch", "must", "be"],
        ["threads", "must", "be"],
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("crop", (0, 64)), ("crop", 64), ("scale", (64, 64, 64)), ("evaluation_scale", (64, True))]
)
def test_a_size_is_two_numbers_of_pixels(name: str, value: Any) -> None:
    with pytest.raises(StudyError, match=f"{name} must be two numbers of pixels, got "):
        replace(SCRATCH, **{name: value})


def test_scales_must_be_in_order() -> None:
    with pytest.raises(StudyError, match=r"smallest_scale must not exceed largest_scale, got 2\.0 > 1\.0"):
        read(smallest_scale=2.0)


def test_what_the_candidate_and_the_data_say_is_no_part_of_a_recipes_description() -> None:
    other = replace(SCRATCH, crop=(32, 64), iterations=7, classes=3, dataset="ade20k", source="elsewhere")
    assert other.describe() == SCRATCH.describe()
    assert replace(SCRATCH, flip=0).describe() != SCRATCH.describe()


def test_a_crop_is_drawn_again_only_where_there_is_a_choice() -> None:
    assert SCRATCH.crop_share == 1.0
    assert replace(SCRATCH, largest_scale=2.0).crop_share == 0.75


@pytest.mark.parametrize("iterations", [1, 7, 100])
@pytest.mark.parametrize("validations", [1, 3, 7])
def test_validations_are_as_many_as_asked_for_and_end_with_the_last_iteration(
    iterations: int, validations: int
) -> None:
    recipe = replace(SCRATCH, validations=validations, iterations=iterations)
    scored = [done for done in range(1, iterations + 1) if recipe.is_validation(done)]
    assert len(scored) == min(iterations, validations)
    assert scored[-1] == iterations


def test_the_learning_rate_rises_from_a_millionth_and_decays_linearly() -> None:
    rate = [learning_rate_factor(done, iterations=100, warmup=10, power=1.0) for done in range(100)]
    assert rate[0] == 1e-6
    assert rate[5] == pytest.approx(0.95 * 0.5, rel=1e-5)
    assert rate[10] == 0.9
    assert rate[99] == pytest.approx(0.01)


def test_an_unknown_evaluator_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown evaluator 'mmsegg'; did you mean 'mmseg'\? accepted: .*lean, mmseg"):
        evaluator("mmsegg", tmp_path)


def test_choosing_an_evaluator_loads_nothing_heavy() -> None:
    code = "import sys, experiments.evaluators as e; sys.exit(bool({'torch', 'mmseg', 'mmengine'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert {name for name, entry in EVALUATORS.items() if entry.trains} == {"lean", "mmseg", "recipe"}


def test_the_evaluators_know_the_training_and_never_the_reverse() -> None:
    training = Path(sys.modules["experiments.training.recipes"].__file__ or "").parent
    sources = {path: path.read_text(encoding="utf-8") for path in training.rglob("*.py")}
    assert len(sources) > 20
    upward = ("experiments.evaluators", "experiments.trials", "experiments.search")
    assert [path.name for path, text in sources.items() if any(name in text for name in upward)] == []

"""Settings of the training evaluators, their learning-rate schedule, and the choice of an evaluator."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.evaluators import EVALUATORS, evaluator
from experiments.training.schedule import learning_rate_factor
from experiments.training.settings import LeanSettings, MmsegSettings, TrainingSettings
from topformer.errors import InputError, StudyError


@pytest.mark.parametrize("kind", [LeanSettings, MmsegSettings])
def test_settings_are_read_from_a_table(kind: type[TrainingSettings]) -> None:
    assert kind.read({"batch": 4, "learning_rate": 1}) == kind(batch=4, learning_rate=1)


def test_an_unknown_setting_is_refused_with_the_nearest() -> None:
    with pytest.raises(StudyError, match=r"unknown evaluator setting 'learning_rat'; did you mean 'learning_rate'\?"):
        LeanSettings.read({"learning_rat": 1e-3})


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
    ],
)
def test_a_refused_value_is_shown_with_what_is_accepted(name: str, value: object, accepted: str) -> None:
    with pytest.raises(StudyError) as caught:
        LeanSettings.read({name: value})
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)
    assert accepted in str(caught.value)


def test_a_flag_is_no_number() -> None:
    with pytest.raises(StudyError, match="distort must be true or false, got 1"):
        MmsegSettings.read({"distort": 1})


def test_scales_must_be_in_order() -> None:
    with pytest.raises(StudyError, match=r"smallest_scale must not exceed largest_scale, got 2\.0 > 1\.0"):
        LeanSettings(smallest_scale=2.0)


def test_only_settings_that_change_the_number_belong_to_a_study() -> None:
    assert LeanSettings(threads=4, checkpoint_every=7, device="cpu").describe() == LeanSettings().describe()
    assert MmsegSettings(workers=4).describe() == MmsegSettings().describe()
    assert LeanSettings(flip=0).describe() != LeanSettings().describe()


def test_the_release_warms_up_for_1500_of_160000_updates_and_drives_the_head_ten_times_as_fast() -> None:
    release = MmsegSettings.release(distort=True)
    assert release.warmup_updates(160_000) == 1500
    assert (release.learning_rate, release.head_multiplier, release.batch, release.weight_decay) == (3e-4, 10, 16, 0.01)


@pytest.mark.parametrize("budget", [1, 7, 100])
@pytest.mark.parametrize("validations", [1, 3, 7])
def test_validations_are_as_many_as_asked_for_and_end_with_the_last_update(budget: int, validations: int) -> None:
    settings = TrainingSettings(validations=validations)
    updates = [update for update in range(1, budget + 1) if settings.is_validation(update, budget)]
    assert len(updates) == min(budget, validations)
    assert updates[-1] == budget


def test_the_learning_rate_rises_from_a_millionth_and_decays_linearly() -> None:
    rate = [learning_rate_factor(update, budget=100, warmup=10, power=1.0) for update in range(100)]
    assert rate[0] == 1e-6
    assert rate[5] == pytest.approx(0.95 * 0.5, rel=1e-5)
    assert rate[10] == 0.9
    assert rate[99] == pytest.approx(0.01)


def test_an_unknown_evaluator_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown evaluator 'mmsegg'; did you mean 'mmseg'\? accepted: lean, mmseg"):
        evaluator("mmsegg", tmp_path)


def test_choosing_an_evaluator_loads_nothing_heavy() -> None:
    code = "import sys, experiments.evaluators as e; sys.exit(bool({'torch', 'mmseg', 'mmengine'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert set(EVALUATORS) == {"lean", "mmseg", "recipe"}

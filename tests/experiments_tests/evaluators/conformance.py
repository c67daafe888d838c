"""What every evaluator promises, and what one that trains does; a test class per evaluator inherits the tests."""

import json
import pickle
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators import EVALUATORS, evaluator
from experiments.evaluators.base import Accuracy, Evaluator
from experiments.evaluators.training import TrainingEvaluator
from experiments.training.outcome import WEIGHTS, Progress
from search_space.candidate import Candidate
from topformer.errors import DataError, StudyError
from topformer.network import TopFormer
from topformer.presets import NANO

CANDIDATE = Candidate(design=NANO, height=64, width=64)


def stop_at(iteration: int) -> Progress:
    """Interrupts a training after this many iterations."""

    def progress(done: int, _: int) -> None:
        if done == iteration:
            raise KeyboardInterrupt

    return progress


def timeless(accuracy: Accuracy) -> Accuracy:
    """The answer without how long it took."""
    return replace(accuracy, seconds=0, cpu_seconds=None)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights that an evaluation left."""
    loaded: dict[str, torch.Tensor] = torch.load(folder / WEIGHTS, weights_only=True)
    return loaded


def assert_same_weights(one: Path, other: Path) -> None:
    """Two evaluations left the same bits."""
    found, expected = weights(one), weights(other)
    assert found.keys() == expected.keys()
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []


def made_of(kind: str, folder: Any, values: Mapping[str, Any]) -> TrainingEvaluator:
    """The evaluator that a study's table names."""
    made = evaluator(kind, folder, values)
    assert isinstance(made, TrainingEvaluator)
    return made


class EvaluatorConformance:
    """The tests; a subclass says which evaluator, and with what settings it trains four images at a time or so."""

    kind: ClassVar[str]
    values: ClassVar[Mapping[str, Any]]
    """Settings of a small training, as a study file has them."""
    other: ClassVar[Mapping[str, Any]]
    """Settings with another number."""
    same: ClassVar[Mapping[str, Any]]
    """Settings with the same number, computed otherwise."""

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4)

    @pytest.fixture(scope="class")
    @classmethod
    def made(cls, data: Path) -> TrainingEvaluator:
        return made_of(cls.kind, data, cls.values)

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls, made: TrainingEvaluator, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """An evaluation of six iterations that nobody stopped."""
        folder = tmp_path_factory.mktemp("whole")
        made.evaluate(CANDIDATE, budget=6, seed=1, folder=folder)
        return folder

    def test_the_metric_says_what_is_measured_on_what(self, made: TrainingEvaluator) -> None:
        assert made.metric == "miou@tokenworld-64"
        assert made.kind == self.kind

    def test_the_identity_is_plain_json_of_settings_and_data(
        self, made: TrainingEvaluator, data: Path, tmp_path: Path
    ) -> None:
        described = made.describe()
        assert json.loads(json.dumps(described)) == described
        assert described["kind"] == self.kind
        assert made_of(self.kind, data, {**self.values, **self.same}).describe() == described
        assert made_of(self.kind, data, {**self.values, **self.other}).describe() != described
        elsewhere = write_tokenworld(tmp_path / "other", size=64, training=16, validation=4, seed=1)
        assert made_of(self.kind, elsewhere, self.values).describe() != described

    def test_the_identity_does_not_hang_on_where_the_data_lie(
        self, made: TrainingEvaluator, data: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "link").symlink_to(data)
        assert made_of(self.kind, tmp_path / "link", self.values).describe() == made.describe()

    def test_the_answer_names_metric_classes_groups_and_what_was_spent(
        self, made: TrainingEvaluator, whole: Path
    ) -> None:
        found = made.evaluate(CANDIDATE, budget=6, seed=1, folder=whole)
        assert (found.metric, found.source, found.budget, found.seed) == (made.metric, "trained", 6, 1)
        assert found.value == pytest.approx(np.mean(list(found.per_class.values())))
        assert found.best is not None
        assert found.best >= found.value
        assert set(found.groups) <= {"texture", "context", "fine", "rare"}
        assert found.seconds > 0

    def test_it_leaves_the_weights_of_a_topformer_and_nothing_to_go_on_from(self, whole: Path) -> None:
        TopFormer(NANO).load_state_dict(weights(whole), strict=True)
        assert [path.name for path in whole.rglob("*") if path.suffix in (".pth", ".pt")] == [WEIGHTS]

    def test_progress_counts_every_iteration_and_the_terminal_stays_silent(
        self, made: TrainingEvaluator, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        told: list[tuple[int, int]] = []
        made.evaluate(CANDIDATE, budget=3, seed=0, folder=tmp_path, progress=lambda *news: told.append(news))
        assert told == [(1, 3), (2, 3), (3, 3)]
        assert capfd.readouterr() == ("", "")

    def test_a_finished_evaluation_answers_without_training(self, made: TrainingEvaluator, whole: Path) -> None:
        first = made.evaluate(CANDIDATE, budget=6, seed=1, folder=whole, progress=stop_at(1))
        assert made.evaluate(CANDIDATE, budget=6, seed=1, folder=whole, progress=stop_at(1)) == first

    def test_an_interrupted_training_that_is_resumed_gives_the_same_bits(
        self, made: TrainingEvaluator, whole: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(KeyboardInterrupt):
            made.evaluate(CANDIDATE, budget=6, seed=1, folder=tmp_path / "a", progress=stop_at(5))
        # Wherever the folder is by then.
        (tmp_path / "a").rename(tmp_path / "b")
        resumed: list[int] = []
        found = made.evaluate(
            CANDIDATE, budget=6, seed=1, folder=tmp_path / "b", progress=lambda done, _: resumed.append(done)
        )
        assert 1 < resumed[0] <= 5
        assert resumed[-1] == 6
        expected = made.evaluate(CANDIDATE, budget=6, seed=1, folder=whole)
        assert timeless(found) == timeless(expected)
        assert_same_weights(tmp_path / "b", whole)

    def test_seeds_give_different_networks(self, made: TrainingEvaluator, whole: Path, tmp_path: Path) -> None:
        made.evaluate(CANDIDATE, budget=6, seed=2, folder=tmp_path)
        name = "backbone.pyramid.stem.conv.weight"
        assert not torch.equal(weights(tmp_path)[name], weights(whole)[name])

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"budget": 7}, "holds another evaluation: budget is 6 there and 7 here"),
            ({"seed": 2}, "holds another evaluation: seed is 1 there and 2 here"),
            ({"candidate": replace(CANDIDATE, width=96)}, "holds another evaluation: candidate is "),
        ],
    )
    def test_a_folder_of_another_evaluation_is_refused(
        self, made: TrainingEvaluator, whole: Path, changes: dict[str, Any], message: str
    ) -> None:
        asked: dict[str, Any] = {"candidate": CANDIDATE, "budget": 6, "seed": 1, **changes}
        with pytest.raises(StudyError, match=message):
            made.evaluate(asked.pop("candidate"), folder=whole, **asked)

    def test_a_folder_of_other_settings_is_refused_in_one_sentence(self, data: Path, whole: Path) -> None:
        another = made_of(self.kind, data, {**self.values, **self.other})
        with pytest.raises(
            StudyError, match=r"another evaluation: evaluator\.\S+ is .* there and .* here; choose [^\n]*$"
        ):
            another.evaluate(CANDIDATE, budget=6, seed=1, folder=whole)

    @pytest.mark.parametrize(
        ("budget", "seed", "field"),
        [
            *((budget, 0, "budget") for budget in (0, -1, 2.0, True)),
            *((1, seed, "seed") for seed in (-1, 2**32, 0.0, False)),
        ],
    )
    def test_a_budget_and_a_seed_are_natural_numbers_and_a_seed_one_of_numpys(
        self, made: TrainingEvaluator, tmp_path: Path, budget: Any, seed: Any, field: str
    ) -> None:
        with pytest.raises(StudyError, match=f"{field} must be an integer"):
            made.evaluate(CANDIDATE, budget=budget, seed=seed, folder=tmp_path)
        assert not list(tmp_path.iterdir())

    def test_the_largest_seed_is_trained(self, made: TrainingEvaluator, tmp_path: Path) -> None:
        assert made.evaluate(CANDIDATE, budget=1, seed=2**32 - 1, folder=tmp_path).seed == 2**32 - 1

    def test_the_network_gets_as_many_classes_as_the_data(self, made: TrainingEvaluator, tmp_path: Path) -> None:
        other = replace(CANDIDATE, design=replace(NANO, num_classes=150))
        made.evaluate(other, budget=1, seed=0, folder=tmp_path)
        assert made.num_classes == 11
        assert weights(tmp_path)["head.classifier.weight"].shape[0] == 11

    def test_an_input_size_other_than_the_images_is_trained_and_scored(
        self, made: TrainingEvaluator, tmp_path: Path
    ) -> None:
        smaller = Candidate(design=NANO, height=32, width=96)
        assert 0 <= made.evaluate(smaller, budget=1, seed=0, folder=tmp_path).value <= 100

    def test_what_makes_it_can_be_sent_to_another_process(self, made: TrainingEvaluator, data: Path) -> None:
        make: Callable[[], TrainingEvaluator] = partial(made_of, self.kind, data, dict(self.values))
        assert pickle.loads(pickle.dumps(make))().describe() == made.describe()

    def test_the_generators_and_threads_of_the_process_are_left_alone(
        self, made: TrainingEvaluator, tmp_path: Path
    ) -> None:
        def draws() -> tuple[float, float, float]:
            return random.random(), float(np.random.random()), float(torch.rand(1))  # noqa: NPY002

        states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
        threads, expected = torch.get_num_threads(), draws()
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        made.evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)
        assert draws() == expected
        assert torch.get_num_threads() == threads

    def test_an_unknown_setting_is_refused_with_what_is_accepted(self, data: Path) -> None:
        with pytest.raises(StudyError, match="unknown evaluator setting 'precison'; did you mean 'precision'"):
            made_of(self.kind, data, {**self.values, "precison": "float32"})

    def test_every_setting_is_one_of_recipe_or_machine(self, made: TrainingEvaluator) -> None:
        own = {"recipe", "checkpoints", "skip_classifier", "schedule", "start", "start_design"}
        assert [
            name
            for name in made.settings
            if not (name in own or hasattr(made.recipe, name) ^ hasattr(made.machine, name))
        ] == []

    def test_a_data_set_that_cannot_be_trained_on_is_refused_at_once(self, data: Path) -> None:
        folder = open_folder(data)
        with pytest.raises(DataError):
            made_of(self.kind, replace(folder, splits={"training": folder.splits["training"]}), self.values)


class UntrainedConformance:
    """The tests of an evaluator that trains nothing; a subclass says which, and with what settings."""

    kind: ClassVar[str]
    values: ClassVar[Mapping[str, Any]]
    """Settings, as a study file has them."""
    other: ClassVar[Mapping[str, Any]]
    """Settings with another number."""
    metric: ClassVar[str]
    source: ClassVar[str]
    candidate: ClassVar[Candidate] = CANDIDATE

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, tmp_path_factory: pytest.TempPathFactory) -> Path | None:
        if not EVALUATORS[cls.kind].needs_data:
            return None
        return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4)

    @pytest.fixture(scope="class")
    @classmethod
    def made(cls, data: Path | None) -> Evaluator:
        return evaluator(cls.kind, data, cls.values)

    def test_the_answer_says_what_it_is(self, made: Evaluator, tmp_path: Path) -> None:
        found = made.evaluate(self.candidate, budget=0, seed=3, folder=tmp_path)
        assert (made.metric, made.describe()["kind"]) == (self.metric, self.kind)
        assert (found.metric, found.source, found.budget, found.seed) == (self.metric, self.source, 0, 3)
        assert np.isfinite(found.value)
        assert found.seconds >= 0
        assert not list(tmp_path.iterdir())

    def test_equal_questions_have_equal_answers(self, made: Evaluator, data: Path | None, tmp_path: Path) -> None:
        first = made.evaluate(self.candidate, budget=0, seed=0, folder=tmp_path)
        again = evaluator(self.kind, data, self.values).evaluate(self.candidate, budget=0, seed=0, folder=tmp_path)
        assert timeless(first) == timeless(again)

    def test_the_identity_is_plain_json_of_all_that_changes_the_number(
        self, made: Evaluator, data: Path | None, tmp_path: Path
    ) -> None:
        described = made.describe()
        assert json.loads(json.dumps(described)) == described
        changed = evaluator(self.kind, data, {**self.values, **self.other})
        assert changed.describe() != described
        asked: dict[str, Any] = {"budget": 0, "seed": 0, "folder": tmp_path}
        numbers = [one.evaluate(self.candidate, **asked).value for one in (made, changed)]
        assert numbers[0] != numbers[1]

    def test_a_budget_is_refused(self, made: Evaluator, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match=f"budget of evaluator '{self.kind}' must be 0, .* got 7"):
            made.evaluate(self.candidate, budget=7, seed=0, folder=tmp_path)

    def test_an_unknown_setting_is_refused_with_what_is_accepted(self, data: Path | None) -> None:
        name = next(iter(self.values))
        with pytest.raises(StudyError, match=f"unknown key of evaluator.settings '{name}s'; did you mean '{name}'"):
            evaluator(self.kind, data, {f"{name}s": 1})

    def test_what_makes_it_can_be_sent_to_another_process(self, made: Evaluator, data: Path | None) -> None:
        make = partial(evaluator, self.kind, data, dict(self.values))
        assert pickle.loads(pickle.dumps(make))().describe() == made.describe()

    def test_the_generators_and_threads_of_the_process_are_left_alone(self, made: Evaluator, tmp_path: Path) -> None:
        state, threads = torch.get_rng_state(), torch.get_num_threads()
        made.evaluate(self.candidate, budget=0, seed=0, folder=tmp_path)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads

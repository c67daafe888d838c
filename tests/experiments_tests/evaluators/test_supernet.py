"""The supernet evaluator: what it shares with every source, what it says of itself, and what it refuses."""

import pickle
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators import evaluator
from experiments.evaluators.supernet import SupernetEvaluator
from experiments.training.supernet.train import RECIPE, train_supernet
from search_space.candidate import Candidate
from search_space.spaces.space import space
from tests.experiments_tests.evaluators.conformance import CANDIDATE
from topformer.errors import StudyError
from topformer.presets import NANO

ONLY: Mapping[str, Any] = {"pooled": "all", "head": "sum", "width": ["64", "128"], "depth": ["1", "2"], "heads": "4"}
ASKED: Mapping[str, Any] = {"budget": 0, "seed": 3, "folder": Path()}


class TestSupernet:
    data: ClassVar[Path]
    run: ClassVar[Path]
    made: ClassVar[SupernetEvaluator]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def trained(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        cls.data = write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4)
        cls.run = tmp_path_factory.mktemp("run")
        wanted = space("paper", base="nano", height=64, width=64, only=ONLY)
        train_supernet(wanted, replace(RECIPE, iterations=4, batch=4), open_folder(cls.data), cls.run)
        cls.made = cls.read()

    @classmethod
    def read(cls, **settings: Any) -> SupernetEvaluator:
        made = evaluator("supernet", cls.data, {"run": str(cls.run), "recalibration": 8, **settings})
        assert isinstance(made, SupernetEvaluator)
        return made

    def test_the_answer_says_what_it_is(self) -> None:
        found = self.made.evaluate(CANDIDATE, **ASKED)
        assert (found.metric, found.source, found.budget, found.seed) == (
            "miou@supernet-tokenworld-64",
            "supernet",
            0,
            3,
        )
        assert found.metric == self.made.metric
        assert found.value == pytest.approx(sum(found.per_class.values()) / len(found.per_class))
        assert set(found.groups) <= {"texture", "context", "fine", "rare"}

    def test_equal_questions_have_equal_answers_and_the_classes_are_the_datas(self) -> None:
        other = replace(CANDIDATE, design=replace(NANO, num_classes=150))
        first, again = (replace(self.read().evaluate(one, **ASKED), seconds=0) for one in (CANDIDATE, other))
        assert first == again

    def test_the_identity_is_that_of_the_weights_wherever_they_lie(self, tmp_path: Path) -> None:
        described = self.made.describe()
        (tmp_path / "link").symlink_to(self.run)
        assert self.read(run=str(tmp_path / "link"), threads=2).describe() == described
        assert self.read(recalibration=9).describe() != described
        assert described["supernet"] == self.made.supernet.digest

    def test_it_can_be_sent_to_another_process(self) -> None:
        make = partial(evaluator, "supernet", self.data, {"run": str(self.run)})
        assert pickle.loads(pickle.dumps(make))().describe()["supernet"] == self.made.supernet.digest

    def test_the_generators_and_threads_of_the_process_are_left_alone(self, tmp_path: Path) -> None:
        state, threads = torch.get_rng_state(), torch.get_num_threads()
        self.made.evaluate(CANDIDATE, budget=0, seed=0, folder=tmp_path)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads
        assert not list(tmp_path.iterdir())

    def test_the_network_that_is_scored_can_be_had(self) -> None:
        network = self.made.network(CANDIDATE, seed=3)
        assert not network.training
        again = self.made.network(CANDIDATE, seed=3).state_dict()
        assert all(torch.equal(value, again[name]) for name, value in network.state_dict().items())

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"run": ""}, "evaluator.settings.run must be a non-empty string"),
            ({"recalibration": 1}, "evaluator.settings.recalibration must be an integer of at least 2, got 1"),
            ({"recalibrations": 9}, "unknown key of evaluator.settings 'recalibrations'; did you mean 'recalibration'"),
            ({"run": "nowhere"}, "nowhere holds no supernet"),
        ],
    )
    def test_settings_that_cannot_be_used_are_refused(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(StudyError, match=message):
            self.read(**settings)

    def test_a_setting_that_is_missing_is_named(self) -> None:
        with pytest.raises(StudyError, match=r"evaluator\.settings\.run is missing"):
            evaluator("supernet", self.data, {})

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            ({"budget": 5}, "budget of evaluator 'supernet' must be 0"),
            ({"seed": -1}, "seed must be"),
        ],
    )
    def test_a_budget_and_a_wrong_seed_are_refused(self, asked: dict[str, Any], message: str) -> None:
        with pytest.raises(StudyError, match=message):
            self.made.evaluate(CANDIDATE, **{**ASKED, **asked})

    def test_other_data_sizes_and_designs_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match="trained at 64x64 px, the design is wanted at 32x64"):
            self.made.evaluate(Candidate(design=NANO, height=32, width=64), **ASKED)
        with pytest.raises(StudyError, match="axis 'width' has 64, 128"):
            self.made.evaluate(replace(CANDIDATE, design=replace(NANO, width=96)), **ASKED)
        other = write_tokenworld(tmp_path / "other", size=64, training=16, validation=4, seed=1)
        with pytest.raises(StudyError, match="another data set than"):
            evaluator("supernet", other, {"run": str(self.run)})

"""The proxy evaluator: what every proxy says of real designs, and where it has nothing to say."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators.proxy import ProxyEvaluator
from experiments.training.proxies import PROXIES
from search_space.candidate import Candidate
from tests.experiments_tests.evaluators.conformance import CANDIDATE, UntrainedConformance
from topformer.design import Extractor
from topformer.errors import EvaluationError, StudyError
from topformer.presets import NANO


class TestConformance(UntrainedConformance):
    kind = "proxy"
    values: ClassVar[Mapping[str, Any]] = {"proxy": "zico", "batch": 4}
    other: ClassVar[Mapping[str, Any]] = {"batches": 3}
    metric = "zico@tokenworld-64"
    source = "proxy"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4)


@pytest.mark.parametrize("proxy", PROXIES)
def test_every_proxy_has_a_number_for_every_kind_of_extractor(proxy: str, data: Path, tmp_path: Path) -> None:
    made = ProxyEvaluator.read(data, {"proxy": proxy, "batch": 4})
    designs = [NANO, replace(NANO, extractor=Extractor.NONE, blocks=()), replace(NANO, extractor=Extractor.PPM)]
    candidates = [Candidate(design=design, height=64, width=96) for design in designs]
    numbers = [made.evaluate(one, budget=0, seed=0, folder=tmp_path).value for one in candidates]
    assert made.metric == f"{proxy}@tokenworld-64"
    assert len(set(numbers)) == 3


@pytest.mark.parametrize("proxy", ["zico", "synflow", "snip"])
def test_those_that_sum_over_layers_see_a_deeper_extractor(proxy: str, data: Path, tmp_path: Path) -> None:
    made = ProxyEvaluator.read(data, {"proxy": proxy, "batch": 4})
    deeper = replace(CANDIDATE, design=replace(NANO, blocks=2 * NANO.blocks))
    few, many = (made.evaluate(one, budget=0, seed=0, folder=tmp_path).value for one in (CANDIDATE, deeper))
    assert many > few


def test_images_that_cannot_be_told_apart_give_no_number(tmp_path: Path) -> None:
    one = write_tokenworld(tmp_path / "one", size=64, training=1, validation=1)
    made = ProxyEvaluator.read(one, {"proxy": "naswot", "batch": 4})
    with pytest.raises(EvaluationError, match=r"naswot of this design is -inf at 64 x 64 px"):
        made.evaluate(CANDIDATE, budget=0, seed=0, folder=tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"proxy": "zicos"}, "unknown evaluator.settings.proxy 'zicos'; did you mean 'zico'"),
        ({"batch": 1}, "evaluator.settings.batch must be an integer of at least 2, got 1"),
        ({"batches": 1}, "evaluator.settings.batches must be an integer of at least 2, got 1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(data: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        ProxyEvaluator.read(data, settings)

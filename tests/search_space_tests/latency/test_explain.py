"""Where the milliseconds go: sums, boundaries, and the paper's Figure 3."""

import json

import pytest

from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from search_space.latency.calibration.devices import device
from search_space.latency.explain import Explanation, explain
from topformer import TINY
from topformer.deployment.boundary import Boundary

CANDIDATE = Candidate(design=TINY, height=512, width=512)


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    return explain(device("snapdragon-865"), CANDIDATE)


def test_parts_and_kernels_add_up_to_the_estimate(explanation: Explanation) -> None:
    milliseconds = explanation.boundaries[Boundary.LOGITS].milliseconds
    assert sum(part.milliseconds for part in explanation.parts.values()) == pytest.approx(milliseconds)
    assert sum(explanation.kernels.values()) == pytest.approx(milliseconds)
    assert sum(sum(part.by_kernel.values()) for part in explanation.parts.values()) == pytest.approx(milliseconds)


def test_parts_have_the_exact_cost(explanation: Explanation) -> None:
    counted = cost(CANDIDATE)
    assert sum(part.parameters for part in explanation.parts.values()) == counted.parameters
    assert sum(part.macs_conv_matmul for part in explanation.parts.values()) == counted.macs_conv_matmul


def test_the_extractors_shares_are_those_of_figure_3(explanation: Explanation) -> None:
    # 74 % of the parameters, about 10 % of FLOPs and latency.
    shares = {name: parts["extractor"] for name, parts in explanation.shares().items()}
    assert shares == pytest.approx({"parameters": 0.74, "macs_conv_matmul": 0.10, "milliseconds": 0.10}, abs=0.03)


def test_a_matrix_product_belongs_to_the_extractor_alone(explanation: Explanation) -> None:
    assert [name for name, part in explanation.parts.items() if "matmul" in part.by_kernel] == ["extractor"]


def test_all_boundaries_are_shown_in_order(explanation: Explanation) -> None:
    assert list(explanation.boundaries) == list(Boundary)
    lines = explanation.render().splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["logits", "logits", "class"]


def test_as_json(explanation: Explanation) -> None:
    plain = json.loads(json.dumps(explanation.to_json()))
    assert list(plain["boundaries"]) == ["logits", "upsample", "argmax", "argmax-nearest"]
    assert plain["parts"]["head"]["by_kernel"]["depthwise 1x1"] > 0

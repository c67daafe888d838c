"""The count evaluator: the published counts of the presets, the predicted latency, and what it refuses."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from experiments.evaluators.count import CountEvaluator
from search_space.candidate import Candidate
from search_space.latency.calibration.devices import device
from tests.experiments_tests.evaluators.conformance import UntrainedConformance
from topformer.errors import InputError, StudyError
from topformer.presets import TINY

AT_512 = Candidate(design=TINY, height=512, width=512)


class TestConformance(UntrainedConformance):
    kind = "count"
    values: ClassVar[Mapping[str, Any]] = {"count": "macs"}
    other: ClassVar[Mapping[str, Any]] = {"count": "parameters"}
    metric = "count@macs"
    source = "count"


@pytest.mark.parametrize(("count", "number"), [("parameters", 1_389_654), ("macs", 0.576e9)])
def test_tiny_counts_what_was_counted_of_the_release(count: str, number: float, tmp_path: Path) -> None:
    found = CountEvaluator.read(None, {"count": count}).evaluate(AT_512, budget=0, seed=0, folder=tmp_path)
    assert found.value == pytest.approx(number, rel=1e-3)
    assert found.error is None


def test_a_latency_has_the_name_of_its_device_and_an_error(tmp_path: Path) -> None:
    settings = {"count": "latency_ms", "device": "snapdragon-865", "boundary": "argmax"}
    made = CountEvaluator.read(None, settings)
    found = made.evaluate(AT_512, budget=0, seed=0, folder=tmp_path)
    expected = device("snapdragon-865").estimate(AT_512, boundary="argmax")
    assert made.metric == "count@latency_ms@snapdragon-865+argmax"
    assert found.value == pytest.approx(expected.milliseconds)
    assert found.error == pytest.approx((expected.high - expected.low) / 3.92, rel=1e-3)


@pytest.mark.parametrize("settings", [{"count": "latency_ms"}, {"count": "macs", "device": "snapdragon-865"}])
def test_a_latency_and_a_device_go_together(settings: dict[str, str]) -> None:
    with pytest.raises(StudyError, match=r"count = 'latency_ms' and a device go together, got count '\w+' and device"):
        CountEvaluator.read(None, settings)


def test_an_unknown_count_and_an_unknown_device_offer_the_nearest() -> None:
    with pytest.raises(StudyError, match=r"unknown evaluator.settings.count 'mac'; did you mean 'macs'"):
        CountEvaluator.read(None, {"count": "mac"})
    with pytest.raises(InputError, match="did you mean 'snapdragon-865'"):
        CountEvaluator.read(None, {"count": "latency_ms", "device": "snapdragon-86"})


def test_counting_needs_no_torch() -> None:
    program = "import sys, experiments.evaluators.count; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

"""A whole space at once: the same designs, in the same order, with the same costs as one at a time."""

import numpy as np
import pytest

from search_space.cost.closed_form import cost
from search_space.latency.calibration.devices import device
from search_space.spaces.enumeration import Enumeration, enumerated
from search_space.spaces.space import Space, space
from topformer.errors import SpaceError

PHONE = "snapdragon-865"
SMALL = {"depth": ["1", "2"], "heads": ["4", "8"], "width": ["64", "128"]}


@pytest.fixture(scope="module")
def paper() -> Enumeration:
    return enumerated(space("paper"), device(PHONE))


def test_the_paper_space_is_listed_whole(paper: Enumeration) -> None:
    assert len(paper) == space("paper").count() == 106_272


def test_samples_equal_what_each_design_costs_alone(paper: Enumeration) -> None:
    phone = device(PHONE)
    for index in np.random.default_rng(5).choice(len(paper), 150, replace=False):
        candidate = paper.candidate(int(index))
        alone, counted = phone.estimate(candidate), cost(candidate)
        assert paper.parameters[index] == counted.parameters
        assert paper.macs[index] == counted.macs
        assert paper.macs_conv_matmul[index] == counted.macs_conv_matmul
        for name in ("milliseconds", "low", "high", "coverage"):
            assert getattr(paper.latency, name)[index] == pytest.approx(getattr(alone, name))


@pytest.mark.parametrize(
    ("name", "base", "only"),
    [
        ("paper", "nano", SMALL),
        ("full", "nano", None),
        ("published-search", "tiny", None),
    ],
)
def test_the_order_is_that_of_the_space(name: str, base: str, only: dict[str, list[str]] | None) -> None:
    whole = space(name, base=base, height=128, width=128, only=only)
    chosen = whole if only else _narrowed(whole)
    listed, whole_space = list(chosen.enumerate()), enumerated(chosen, device(PHONE))
    assert len(listed) == len(whole_space) > 10
    assert [whole_space.candidate(index) for index in range(len(whole_space))] == listed
    assert whole_space.latency.milliseconds == pytest.approx(device(PHONE).estimate_many(listed).milliseconds)


def _narrowed(whole: Space) -> Space:
    """One label of most axes, two of the last of a stage, a block and the whole network each."""
    varied = {"stage2_channels", "stage4_rows", "block1_ffn_ratio", "width", "extractor", "depth", "injected", "input"}
    labels = whole.labels_of(whole.base) or {}
    only: dict[str, list[str]] = {}
    for axis in whole.axes:
        own = labels.get(axis.name, axis.labels[0])
        only[axis.name] = (
            [own, *(label for label in axis.labels[-2:] if label != own)] if axis.name in varied else [own]
        )
    return whole.restricted(only)


def test_the_feasible_set_is_exact(paper: Enumeration) -> None:
    summary = paper.summary(50)
    assert summary.feasible == int((paper.latency.milliseconds <= 50).sum())
    assert summary.surely_feasible == int((paper.latency.high <= 50).sum()) < summary.feasible < summary.designs
    slowest = summary.extremes["latency_ms"][1]
    assert device(PHONE).estimate(paper.candidate(slowest.index)).milliseconds == pytest.approx(slowest.value)
    assert slowest.value <= 50


def test_extremes_of_the_whole_space_are_at_its_corners(paper: Enumeration) -> None:
    least, most = paper.summary().extremes["parameters"]
    assert (least.labels["width"], least.labels["depth"], least.labels["heads"]) == ("64", "1", "2")
    assert (most.labels["width"], most.labels["depth"], most.labels["heads"]) == ("320", "8", "12")


def test_an_impossible_limit_says_how_fast_the_fastest_is(paper: Enumeration) -> None:
    with pytest.raises(SpaceError, match=r"no design takes at most 1 ms; the fastest is predicted to take 29\.\d\d ms"):
        paper.summary(1)


def test_a_space_that_no_memory_holds_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"at most 20,000,000 designs can be listed, got \d"):
        enumerated(space("full"), device(PHONE))


def test_a_summary_as_text_and_as_json(paper: Enumeration) -> None:
    summary = paper.summary(40)
    assert summary.to_json()["feasible"] == summary.feasible
    assert f"{summary.feasible:,}" in summary.render()
    assert summary.surely_feasible <= summary.feasible <= summary.perhaps_feasible <= summary.designs
    assert "least latency_ms" in summary.render()

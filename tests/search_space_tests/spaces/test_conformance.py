"""Every named space holds what a space must hold, and so does one to which an axis was added as CONTRIBUTING says."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from types import MappingProxyType

import pytest

from search_space.axes.axis import Axis, Invalidates, edit, labelled
from search_space.axes.blocks import depth_axis
from search_space.axes.network import extractor_axis, head_axis, injected_axis
from search_space.axes.pyramid import patterned, row_axis
from search_space.candidate import Candidate
from search_space.spaces.catalogue import CATALOGUE
from search_space.spaces.space import Space, space, spaces
from tests.search_space_tests.spaces.conformance import SpaceConformance, misread
from topformer.errors import SpaceError
from topformer.presets import NANO


@cache
def around_nano(name: str) -> Space:
    """One object per name, which remembers its diagram."""
    return space(name, base="nano", height=128, width=128)


class TestNamedSpaces(SpaceConformance):
    @pytest.fixture(params=spaces())
    def space(self, request: pytest.FixtureRequest) -> Space:
        return around_nano(request.param)


def stem_kernel_axis(kernels: Iterable[int]) -> Axis:
    """Side of the first kernel."""
    return Axis(
        name="stem_kernel",
        choices=labelled(kernels),
        apply=lambda candidate, side: edit(candidate, stem=replace(candidate.design.stem, kernel=side)),
        invalidates=Invalidates.FULL,
    )


STEM_KERNEL = stem_kernel_axis((3, 5))


def ffn_ratio_axis(ratios: Iterable[float]) -> Axis:
    """One ratio for all blocks; whether two ratios are one network depends on the channels of the pyramid."""
    return Axis(
        name="ffn_ratio",
        choices=labelled(ratios),
        apply=lambda candidate, ratio: edit(
            candidate, blocks=tuple(replace(block, ffn_ratio=ratio) for block in candidate.design.blocks)
        ),
        invalidates=Invalidates.PARTIAL,
        applies=lambda candidate: candidate.design.has_blocks,
        reads=lambda candidate: (candidate.design.has_blocks, candidate.design.embedding),
    )


def with_entries(base: Candidate) -> tuple[Axis, ...]:
    return (
        extractor_axis(),
        row_axis(4, "channels", patterned((96, 1000), [])),
        depth_axis((1, 2)),
        ffn_ratio_axis((1.0, 2.0, 2.001)),
        stem_kernel_axis((3, 5)),
        injected_axis().restricted(["8+16+32", "32"]),
        head_axis(),
    )


@pytest.fixture(scope="module", autouse=True)
def _catalogue() -> Iterable[None]:
    """The table of spaces with a new one, and with one axis more in an old one."""
    entries = {**CATALOGUE, "mine": with_entries, "paper": lambda base: (*CATALOGUE["paper"](base), STEM_KERNEL)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search_space.spaces.space.CATALOGUE", MappingProxyType(entries))
        yield


class TestSpaceWithAddedAxes(SpaceConformance):
    @pytest.fixture
    def space(self) -> Space:
        return around_nano("mine")


def test_an_added_space_is_found_and_offered_by_its_name() -> None:
    assert "mine" in spaces()
    with pytest.raises(SpaceError, match="unknown space 'mina'; did you mean 'mine'"):
        space("mina")


def test_an_added_axis_multiplies_a_space_that_does_not_know_it() -> None:
    wider = around_nano("paper")
    axes = [axis for axis in wider.axes if axis is not STEM_KERNEL]
    assert wider.count() == 2 * replace(wider, axes=tuple(axes)).count()
    assert wider.axis("stem_kernel").label_of(Candidate(design=NANO, height=128, width=128)) == "3"


def test_a_fact_that_an_added_axis_forgets_to_read_is_named() -> None:
    whole = around_nano("mine")
    forgetful = tuple(replace(axis, reads=lambda _: None) if axis.name == "ffn_ratio" else axis for axis in whole.axes)
    pairs = misread(replace(whole, axes=forgetful), seeds=range(10))
    assert {axis for axis, _ in pairs} == {"ffn_ratio"}
    assert {earlier for _, earlier in pairs} == {"extractor", "stage4_channels"}

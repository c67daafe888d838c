"""Samples that are balanced however far they go."""

from collections import Counter

import pytest

from search_space.spaces.space import space
from search_space.spaces.strata import stratified
from topformer.errors import SpaceError

PAPER = space("paper", base="nano", height=128, width=128)
AXES = ("pooled", "pool_stride")


def labels(n: int, seed: int = 0) -> list[dict[str, str]]:
    found = [PAPER.labels_of(one) for one in stratified(PAPER, AXES, n, seed)]
    return [one for one in found if one is not None]


def test_every_beginning_is_balanced() -> None:
    drawn = labels(24)
    for n in (6, 12, 18, 24):
        strata = Counter((one["pooled"], one["pool_stride"]) for one in drawn[:n])
        assert len(strata) == 6
        assert set(strata.values()) == {n // 6}


def test_the_base_comes_first_and_nothing_twice() -> None:
    drawn = stratified(PAPER, AXES, 30, seed=1)
    assert drawn[0] == PAPER.base
    assert len({one.fingerprint for one in drawn}) == 30


def test_a_longer_list_begins_as_a_shorter_one_and_another_seed_draws_others() -> None:
    assert labels(20)[:7] == labels(7)
    assert labels(7, seed=1) != labels(7)


def test_axes_and_numbers_that_cannot_be_are_refused() -> None:
    with pytest.raises(SpaceError, match="unknown axis of space 'paper' 'strides'"):
        stratified(PAPER, ("strides",), 3, seed=0)
    small = PAPER.restricted({"injected": "8", "width": "64", "depth": "1", "heads": "2", "head": "sum"})
    with pytest.raises(SpaceError, match="n must lie between 1 and the 6 designs of space 'paper', got 7"):
        stratified(small, AXES, 7, seed=0)
    # Without its base, which needs another width.
    assert len({one.fingerprint for one in stratified(small, AXES, 6, seed=0)}) == 6

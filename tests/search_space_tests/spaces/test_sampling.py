"""Seeded samples: reproducible, without repeats, and fair over designs instead of over labels."""

from math import sqrt

import pytest

from search_space.spaces.diagram import diagram, numbered
from search_space.spaces.sampling import distinct_indices
from search_space.spaces.space import space, spaces
from topformer.design import Head

SPACES = {name: space(name) for name in spaces()}
SOME = {"width": ["128", "256"], "depth": ["1", "4"], "heads": ["4", "8"]}


@pytest.mark.parametrize("name", spaces())
def test_one_seed_gives_one_sample_and_another_seed_another(name: str) -> None:
    s = SPACES[name]
    first = s.sample(3, 8)
    assert s.sample(3, 8) == first
    assert s.sample(4, 8) != first


def test_a_seed_means_the_same_in_a_space_built_anew() -> None:
    assert space("paper").sample(7, 50) == SPACES["paper"].sample(7, 50)


@pytest.mark.parametrize("name", spaces())
def test_samples_are_distinct_members(name: str) -> None:
    s = SPACES[name]
    drawn = s.sample(1, 12)
    assert len({candidate.fingerprint for candidate in drawn}) == 12
    assert all(candidate in s for candidate in drawn)


def test_a_sample_of_everything_is_everything() -> None:
    s = space("paper", only=SOME)
    drawn = s.sample(0, s.count())
    assert set(drawn) == set(s)
    assert drawn != list(s)


def test_ten_thousand_of_the_paper_space_never_repeat() -> None:
    assert len(set(space("paper").sample(2, 10_000))) == 10_000


def test_numbers_follow_the_order_of_listing() -> None:
    s = space("paper", only=SOME)
    wanted = [0, 1, 7, 500, s.count() - 1]
    listed = list(s)
    assert list(numbered(diagram(s.base, s.axes, s.rules), s.base, wanted)) == [listed[index] for index in wanted]


def test_designs_are_drawn_evenly_though_labels_of_one_network_are_not() -> None:
    # Of the 41 pairs of scales and head, 11 concatenate; drawing labels would give 11/45.
    drawn, share = 10_000, 11 / 41
    drawn_share = sum(candidate.design.head is Head.CONCAT for candidate in space("paper").sample(11, drawn)) / drawn
    assert abs(drawn_share - share) < 3 * sqrt(share * (1 - share) / drawn)
    assert abs(11 / 45 - share) > 3 * sqrt(share * (1 - share) / drawn)


@pytest.mark.parametrize(("total", "amount"), [(10, 10), (10, 6), (10, 3), (10**40, 50), (1, 1), (5, 0)])
def test_indices_are_distinct_and_below_the_total(total: int, amount: int) -> None:
    drawn = distinct_indices(total, amount, seed=8)
    assert len(set(drawn)) == len(drawn) == amount
    assert all(0 <= index < total for index in drawn)

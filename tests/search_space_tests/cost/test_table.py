"""Costs of many candidates at once against the cost of each."""

import numpy as np
import pytest

from search_space.cost.closed_form import cost, operations
from search_space.cost.conventions import macs_fvcore
from search_space.cost.parts import GROUPS
from search_space.cost.table import Gathered, costs, sums
from search_space.operations.operation import Kind, Operation
from search_space.spaces.space import space
from tests.search_space_tests.cost.designs import random_candidates

COLUMNS = ("parameters", "macs", "macs_conv_matmul", "macs_paper_convention", "peak_activation_bytes")
MANY = list(random_candidates(range(5000, 5200)))


def kernels_and_work(steps: tuple[Operation, ...]) -> tuple[float, float]:
    """A fold of two numbers: how many convolutions, and MACs."""
    return sum(step.kind is Kind.CONV for step in steps), sum(map(macs_fvcore, steps))


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_is_that_of_each_candidate(column):
    assert getattr(costs(MANY), column).tolist() == [getattr(cost(candidate), column) for candidate in MANY]


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("column", COLUMNS[:-1])
def test_every_share_is_that_of_each_candidate(name, column):
    shares = costs(MANY).by_module[name]
    assert shares[column].tolist() == [getattr(cost(candidate).by_module[name], column) for candidate in MANY]


@pytest.mark.parametrize("name", ["paper", "published-search", "full"])
def test_samples_of_the_named_spaces_cost_the_same_together_and_alone(name):
    candidates = space(name).sample(3, 40)
    table = costs(candidates)
    for column in COLUMNS:
        assert getattr(table, column).tolist() == [getattr(cost(candidate), column) for candidate in candidates]


def test_a_fold_over_the_parts_is_the_fold_over_the_network():
    totals = sums(MANY, kernels_and_work)
    whole = [kernels_and_work(operations(c.design, c.height, c.width)) for c in MANY]
    assert totals.tolist() == [list(map(float, numbers)) for numbers in whole]


def test_sums_by_group_follow_the_shares():
    by_group = Gathered(MANY).sums(kernels_and_work)
    assert by_group.shape == (len(MANY), len(GROUPS), 2)
    for index, name in enumerate(GROUPS):
        np.testing.assert_array_equal(by_group[:, index, 1], costs(MANY).by_module[name]["macs"])


def test_columns_are_integers():
    assert {getattr(costs(MANY), column).dtype for column in COLUMNS} == {np.dtype(np.int64)}


def test_the_order_of_the_candidates_is_kept():
    np.testing.assert_array_equal(costs(MANY[::-1]).macs, costs(MANY).macs[::-1])


def test_no_candidates_have_empty_columns():
    table = costs([])
    assert len(table) == 0
    assert {getattr(table, column).shape for column in COLUMNS} == {(0,)}
    assert sums([], kernels_and_work).shape[0] == 0

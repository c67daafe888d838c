"""The closed form by itself: shares, and what it needs to be imported."""

import subprocess
import sys

import pytest

from search_space.cost.closed_form import cost, operations
from search_space.cost.conventions import measure
from search_space.cost.parts import GROUPS
from tests.search_space_tests.cost.designs import random_candidate

ADDITIVE = ("parameters", "macs", "macs_conv_matmul", "macs_paper_convention")


@pytest.mark.parametrize("seed", range(2000, 2040))
def test_the_cost_is_that_of_the_listed_operations(seed):
    candidate = random_candidate(seed)
    closed = cost(candidate)
    listed = measure(operations(candidate.design, candidate.height, candidate.width))
    assert {name: getattr(closed, name) for name in listed._fields} == listed._asdict()


@pytest.mark.parametrize("name", ADDITIVE)
def test_shares_add_up_to_the_total(name):
    closed = cost(random_candidate(7))
    assert sum(getattr(share, name) for share in closed.by_module.values()) == getattr(closed, name)


def test_shares_are_those_of_the_operations_by_module_path():
    candidate = random_candidate(8)
    closed = cost(candidate)
    steps = operations(candidate.design, candidate.height, candidate.width)
    prefixes = {
        "pyramid": ("backbone.pyramid",),
        "extractor": ("backbone.pool", "backbone.widen", "backbone.extractor"),
        "injection": ("backbone.injection",),
        "head": ("head",),
    }
    assert tuple(prefixes) == GROUPS
    for name, paths in prefixes.items():
        assert closed.by_module[name].parameters == sum(s.parameters for s in steps if s.module.startswith(paths))


def test_costs_need_no_torch():
    program = (
        "import sys; import search_space.cost.closed_form, search_space.cost.table, search_space.cost.ledger; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

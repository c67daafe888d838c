"""Which designs a supernet trains, and that its store holds every design of the named spaces."""

from dataclasses import replace

import pytest

from experiments.training.supernet.draws import Draws
from search_space.cost.closed_form import cost
from search_space.spaces.space import Space, space
from topformer.design import Head, Pooled
from topformer.errors import SpaceError
from topformer.weights.statistics import skeleton
from topformer.weights.store import Store

PAPER = space("paper", base="nano", height=128, width=128)


def test_every_combination_of_kinds_has_a_largest_and_a_smallest_design() -> None:
    draws = Draws.of(PAPER)
    corners = draws.corners()
    assert {(design.pooled, design.head) for design in corners} == {(p, h) for p in Pooled for h in Head}
    assert {(d.width, d.depth, d.blocks[0].heads, d.injected) for d in corners} == {(320, 8, 12, (4, 8, 16, 32))}
    smallest = [draws.at(0, i).others[0] for i in range(6)]
    assert {(d.width, d.depth, d.blocks[0].heads, len(d.injected)) for d in smallest} == {(64, 1, 2, 1)}
    # With one scale the heads `sum` and `concat` are one network.
    assert {(design.pooled, design.head) for design in smallest} == {
        (p, h) for p in Pooled for h in (Head.SUM, Head.SUM_DEPTHWISE)
    }


def test_the_largest_has_the_most_parameters_of_any_design_of_its_kinds() -> None:
    corners = {(d.pooled, d.head): cost(replace(PAPER.base, design=d)).parameters for d in Draws.of(PAPER).corners()}
    for candidate in PAPER.sample(2, 200):
        assert cost(candidate).parameters <= corners[candidate.design.pooled, candidate.design.head]


def test_designs_are_a_function_of_seed_and_iteration_and_within_the_space() -> None:
    draws = Draws.of(PAPER)
    assert draws.at(3, 7) == Draws.of(PAPER).at(3, 7)
    assert draws.at(3, 7) != draws.at(4, 7)
    strides = set()
    for iteration in range(30):
        drawn = draws.at(0, iteration)
        assert len(drawn.others) == 3
        assert all(replace(PAPER.base, design=design) in PAPER for design in (drawn.largest, *drawn.others))
        strides.add(drawn.largest.pool_stride)
    # What has no parameters is drawn for the largest too.
    assert strides == {32, 64, 128}


@pytest.mark.parametrize(
    "wanted",
    [
        PAPER,
        space("paper", base="tiny", height=128, width=128, only={"depth": ["1", "2"], "head": "sum"}),
        space("published-search", base="tiny", height=128, width=128),
        space(
            "full",
            base="nano",
            height=64,
            width=64,
            only={"input": "64x64", "head": "sum", "injection": "gate", "pooled": "all"},
        ),
    ],
    ids=["paper", "part-of-paper", "published-search", "full"],
)
def test_a_store_of_the_largest_holds_every_design_of_a_sample(wanted: Space) -> None:
    store = Store.union(Draws.of(wanted).corners())
    for candidate in wanted.sample(1, 12):
        network = skeleton(candidate.design)
        parts = store.cut(network)
        assert {name: part.shape for name, part in parts.items()} == {
            name: parameter.shape for name, parameter in network.named_parameters()
        }


def test_an_axis_that_cannot_be_shared_is_refused_by_name() -> None:
    with pytest.raises(
        SpaceError, match=r"one input size, but axis 'input' varies it; keep one of its labels: 64x64, "
    ):
        Draws.of(space("full", base="nano", height=64, width=64))

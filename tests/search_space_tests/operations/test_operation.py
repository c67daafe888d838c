"""The operations in closed form against the walk of the built network."""

from dataclasses import replace

import pytest

from search_space.candidate import Candidate
from search_space.cost.closed_form import operations
from search_space.operations.operation import Operation
from search_space.operations.walk import walk
from tests.search_space_tests.cost.designs import random_candidate
from topformer.design import Extractor, Head, Injection, Pooled
from topformer.network import TopFormer
from topformer.presets import BASE, NANO, PRESETS


def walked_and_written(candidate: Candidate) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
    size = candidate.height, candidate.width
    return walk(TopFormer(candidate.design), *size), operations(candidate.design, *size)


@pytest.mark.parametrize("seed", range(1000, 1060))
def test_a_random_design_has_the_operations_of_the_built_network(seed):
    walked, written = walked_and_written(random_candidate(seed))
    assert written == walked


@pytest.mark.parametrize("design", PRESETS.values(), ids=PRESETS)
def test_a_preset_has_the_operations_of_the_built_network(design):
    walked, written = walked_and_written(Candidate(design=design, height=512, width=512))
    assert written == walked


@pytest.mark.parametrize(
    "changes",
    [
        *({"extractor": kind} for kind in Extractor),
        *({"injection": kind} for kind in Injection),
        *({"head": kind} for kind in Head),
        *({"pooled": kind} for kind in Pooled),
        *({"pool_stride": stride} for stride in (32, 64, 128)),
        *({"injected": scales} for scales in ((4, 8, 16, 32), (16, 32), (4,))),
    ],
    ids=str,
)
def test_every_choice_has_the_operations_of_the_built_network(changes):
    walked, written = walked_and_written(Candidate(design=replace(NANO, **changes), height=97, width=130))
    assert written == walked


def test_every_step_writes_the_tensor_after_its_index():
    steps = operations(BASE, 512, 512)
    assert [step.writes for step in steps] == list(range(1, len(steps) + 1))


def test_every_tensor_but_the_logits_is_read_after_it_was_written():
    steps = operations(BASE, 512, 512)
    assert all(number < step.writes for step in steps for number in step.reads)
    assert {number for step in steps for number in step.reads} == set(range(len(steps)))

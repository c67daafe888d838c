"""The closed form against fvcore, and against the parameters of the built network."""

from dataclasses import replace

import pytest

from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from search_space.cost.counters import count_flop_counter_mode, count_fvcore
from tests.search_space_tests.cost.designs import random_candidate, random_candidates
from topformer.design import Extractor, Head, Injection, Pooled
from topformer.network import TopFormer
from topformer.presets import BASE, PRESETS

SEEDS = range(300)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_design_costs_what_the_built_network_does(seed):
    candidate = random_candidate(seed)
    model = TopFormer(candidate.design)
    closed = cost(candidate)
    counted = count_fvcore(model, candidate.height, candidate.width)
    assert (closed.parameters, closed.macs) == (sum(p.numel() for p in model.parameters()), counted.total)


@pytest.mark.parametrize("kind", [Pooled, Extractor, Injection, Head])
def test_the_random_designs_have_every_kind(kind):
    name = {Pooled: "pooled", Extractor: "extractor", Injection: "injection", Head: "head"}[kind]
    assert {getattr(candidate.design, name) for candidate in random_candidates(SEEDS)} == set(kind)


@pytest.mark.parametrize("design", PRESETS.values(), ids=PRESETS)
def test_presets_cost_what_fvcore_counts_at_full_size(design):
    assert cost(Candidate(design=design, height=512, width=512)).macs == count_fvcore(TopFormer(design), 512, 512).total


@pytest.mark.parametrize("seed", range(0, 300, 30))
def test_convolutions_and_products_are_those_of_torch(seed):
    candidate = random_candidate(seed)
    counted = count_flop_counter_mode(TopFormer(candidate.design), candidate.height, candidate.width)
    assert cost(candidate).macs_conv_matmul == counted.total


@pytest.mark.parametrize("size", [(512, 1024), (97, 250), (32, 32)])
def test_base_costs_what_fvcore_counts_on_an_image_that_is_not_square(size):
    design = replace(BASE, num_classes=7)
    height, width = size
    closed = cost(Candidate(design=design, height=height, width=width))
    assert closed.macs == count_fvcore(TopFormer(design), height, width).total

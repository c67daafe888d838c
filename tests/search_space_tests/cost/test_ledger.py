"""The ledger: every counter beside the closed form, every difference explained."""

from dataclasses import replace

import pytest

from search_space.cost.closed_form import operations
from search_space.cost.ledger import CLOSED_FORM, COLUMNS, FLOP_COUNTER_MODE, FVCORE, PAPER, THOP, ledger, render
from search_space.operations.operation import Kind
from topformer.design import Extractor
from topformer.presets import NANO, TINY


@pytest.fixture(scope="module")
def tiny():
    return ledger(TINY, 512, 512)


def test_totals_of_the_released_tiny(tiny):
    assert tiny.totals == {
        CLOSED_FORM: 576_110_592,
        FVCORE: 576_110_592,
        THOP: 594_599_936,
        FLOP_COUNTER_MODE: 534_110_208,
        PAPER: 576_544_768,
    }


def test_fvcore_never_differs_from_the_closed_form(tiny):
    assert all(FVCORE not in row.differences for row in tiny.rows)


def test_every_difference_has_a_sentence_and_nothing_else_has(tiny):
    for row in tiny.rows:
        different = {name for name in COLUMNS if row.macs[name] != row.macs[CLOSED_FORM]}
        assert set(row.differences) == different


@pytest.mark.parametrize("extractor", Extractor)
def test_nothing_is_left_unexplained(extractor):
    book = ledger(replace(NANO, extractor=extractor, pool_stride=32), 330, 257)
    assert [why for row in book.rows for why in row.differences.values() if "explain" in why] == []


def test_every_step_is_in_one_row(tiny):
    assert sum(row.steps for row in tiny.rows) == len(operations(TINY, 512, 512))


def test_thop_misses_all_matrix_products(tiny):
    row = next(row for row in tiny.rows if row.kind is Kind.MATMUL)
    # Four blocks, four heads, 64 tokens: keys of 16 and values of 32.
    assert (row.macs[CLOSED_FORM], row.macs[THOP]) == (4 * 4 * 64 * 64 * (16 + 32), 0)


def test_the_table_shows_every_number_and_reason(tiny):
    text = render(tiny)
    assert all(f"{row.macs[name]:,}" in text for row in tiny.rows for name in COLUMNS)
    assert all(why in text for row in tiny.rows for why in row.differences.values())
    assert "fvcore has no rule for aten::add (20)" in text

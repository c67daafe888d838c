"""Counting rules and peak memory, on lists of operations that are written out by hand."""

from dataclasses import replace

import pytest

from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from search_space.cost.conventions import has_bias, macs_fvcore, macs_paper, measure, peak_activation_bytes
from search_space.operations.operation import Kind, Operation
from topformer.design import Injection
from topformer.errors import UnknownOperator
from topformer.presets import BASE, NANO

# Feature maps of 4 x 4 cells: 64 bytes per channel.
CELLS = 4 * 4 * 4


def step(kind: Kind, reads: tuple[int, ...], writes: int, channels: int, inputs: int = 1) -> Operation:
    shapes = tuple((1, inputs, 4, 4) for _ in reads)
    return Operation(kind, kind.value, "", shapes, (1, channels, 4, 4), reads, writes)


def conv(groups: int = 1, parameters: int = 0) -> Operation:
    shapes = ((1, 6, 8, 8),), (1, 10, 4, 5)
    return Operation(Kind.CONV, "conv2d", "", *shapes, (0,), 1, parameters, kernel=(3, 3), groups=groups)


def test_a_convolution_multiplies_each_output_with_each_tap():
    assert macs_fvcore(conv()) == 10 * 4 * 5 * 6 * 3 * 3


def test_groups_divide_the_taps():
    assert macs_fvcore(conv(groups=2)) == 10 * 4 * 5 * 3 * 3 * 3


def test_the_paper_adds_one_per_output_of_a_convolution_with_bias():
    plain, biased = conv(parameters=10 * 6 * 9), conv(parameters=10 * 6 * 9 + 10)
    assert (has_bias(plain), has_bias(biased)) == (False, True)
    assert macs_paper(biased) - macs_paper(plain) == 10 * 4 * 5


@pytest.mark.parametrize(
    ("kind", "name", "fvcore", "paper"),
    [
        (Kind.NORM, "batch_norm", 2 * 48, 2 * 48),
        (Kind.ACTIVATION, "relu6", 0, 48),
        (Kind.ELEMENTWISE, "add", 0, 0),
        (Kind.SOFTMAX, "softmax", 0, 0),
        (Kind.RESIZE, "bilinear", 4 * 48, 0),
        (Kind.POOL, "avg_pool", 768, 0),
        (Kind.CONCAT, "cat", 0, 0),
    ],
)
def test_what_the_conventions_count_on_48_outputs_of_768_inputs(kind, name, fvcore, paper):
    operation = Operation(kind, name, "", ((1, 3, 16, 16),), (1, 3, 4, 4), (0,), 1)
    assert (macs_fvcore(operation), macs_paper(operation)) == (fvcore, paper)


def test_a_matrix_product_is_counted_by_fvcore_and_not_by_the_paper():
    product = Operation(Kind.MATMUL, "matmul", "", ((1, 2, 5, 3), (1, 2, 3, 7)), (1, 2, 5, 7), (1, 2), 3)
    assert (macs_fvcore(product), macs_paper(product)) == (2 * 5 * 3 * 7, 0)


def test_an_unknown_operation_is_an_error():
    with pytest.raises(UnknownOperator, match=r"no counting rule for 'fft' in 'body\.mix'"):
        measure([Operation(Kind.UNKNOWN, "fft", "body.mix", ((1, 3, 4, 4),), (1, 3, 4, 4), (0,), 1)])


def test_a_chain_holds_an_input_and_an_output_at_a_time():
    chain = [step(Kind.CONV, (0,), 1, 5, inputs=3), step(Kind.CONV, (1,), 2, 7, inputs=5)]
    assert peak_activation_bytes(chain) == (5 + 7) * CELLS


def test_a_residual_keeps_its_input_until_the_sum():
    residual = [
        step(Kind.CONV, (0,), 1, 2, inputs=2),
        step(Kind.CONV, (1,), 2, 6),
        step(Kind.CONV, (2,), 3, 2),
        step(Kind.ELEMENTWISE, (1, 3), 4, 2),
    ]
    assert peak_activation_bytes(residual) == (2 + 6 + 2) * CELLS


def test_norm_and_activation_make_no_tensor():
    unit = [
        step(Kind.CONV, (0,), 1, 9, inputs=3),
        step(Kind.NORM, (1,), 2, 9),
        step(Kind.ACTIVATION, (2,), 3, 9),
    ]
    assert peak_activation_bytes(unit) == (3 + 9) * CELLS


def test_an_activation_whose_input_is_read_again_makes_a_tensor():
    gated = [
        step(Kind.CONV, (0,), 1, 9, inputs=3),
        step(Kind.ACTIVATION, (1,), 2, 9),
        step(Kind.ELEMENTWISE, (1, 2), 3, 9),
    ]
    assert peak_activation_bytes(gated) == (9 + 9 + 9) * CELLS


def test_an_activation_in_place_keeps_the_memory_alive_for_later_readers():
    late = [
        step(Kind.CONV, (0,), 1, 4, inputs=1),
        step(Kind.ACTIVATION, (1,), 2, 4),
        step(Kind.CONV, (2,), 3, 8),
        step(Kind.CONV, (3,), 4, 8),
        step(Kind.ELEMENTWISE, (2, 4), 5, 1),
    ]
    assert peak_activation_bytes(late) == (4 + 8 + 8) * CELLS


def test_a_token_map_waits_for_the_pooling_at_the_end_of_the_pyramid():
    """Three maps of 10 channels, each read by the next convolution and all by the concatenation."""
    pyramid = [step(Kind.CONV, (number,), number + 1, 10, inputs=1) for number in range(3)]
    pyramid.append(step(Kind.CONCAT, (1, 2, 3), 4, 30))
    assert peak_activation_bytes(pyramid) == (10 + 10 + 10 + 30) * CELLS


def test_a_kept_input_lives_through_the_part():
    chain = [step(Kind.CONV, (0,), 1, 5), step(Kind.CONV, (1,), 2, 7)]
    assert peak_activation_bytes(chain, {0: 3 * CELLS}, read_later=(0,)) == (3 + 5 + 7) * CELLS


def test_the_peak_of_nano_is_the_expansion_of_its_first_row():
    """Its stem gives 16 channels at 64 x 64, which the first row widens fourfold."""
    counted = cost(Candidate(design=NANO, height=128, width=128))
    assert counted.peak_activation_bytes == 4 * (16 * 64 * 64 + 64 * 64 * 64)


def test_with_very_many_classes_the_peak_is_the_fused_map_and_the_logits():
    many = replace(BASE, num_classes=3000, injection=Injection.SUM)
    counted = cost(Candidate(design=many, height=512, width=512))
    assert counted.peak_activation_bytes == 4 * (256 + 3000) * 64 * 64

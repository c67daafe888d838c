"""The latency model: its error on the published rows, its physics, and how it says what it does not know."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from search_space.candidate import Candidate
from search_space.cost.closed_form import operations
from search_space.latency.calibration.devices import device
from search_space.latency.devices import devices
from search_space.latency.estimate import LatencyEstimate
from search_space.latency.kernels import kernels
from search_space.latency.model import DeviceModel
from search_space.operations.operation import Kind, Operation
from topformer import BASE, NANO, SMALL, TINY
from topformer.deployment.boundary import Boundary
from topformer.design import Block, Bottleneck, Design, Extractor
from topformer.errors import InputError


@pytest.fixture(scope="module")
def phone() -> DeviceModel:
    return device("snapdragon-865")


def at(design: Design, height: int = 512, width: int = 512) -> Candidate:
    return Candidate(design=design, height=height, width=width)


def conv(channels: int = 64, out: int = 64, side: int = 32, **fields: Any) -> Operation:
    values = {"reads": (0,), "writes": 1, "parameters": 9 * channels * out, "kernel": (3, 3), **fields}
    shape, output = (1, channels, side, side), (1, out, side, side)
    return Operation(Kind.CONV, "conv2d", "", (shape,), output, **values)


def test_leaving_a_published_row_out_costs_three_percent_at_most_on_average(phone: DeviceModel) -> None:
    assert [(row.name, row.measured_ms) for row in phone.rows] == [
        ("TopFormer-T 448", 32),
        ("TopFormer-T", 43),
        ("TopFormer-S", 74),
        ("TopFormer-B", 110),
    ]
    assert phone.left_out_mean <= 0.03
    assert phone.left_out_max <= 0.05


def test_rates_are_what_the_core_can_do(phone: DeviceModel) -> None:
    # 2 FMA pipes x 4 lanes x 2.84 GHz = 22.7 GMAC/s = 44 ms per GMAC; LPDDR5 gives one core some 10 to 20 GB/s.
    assert 1e3 / (2 * 4 * 2.84) <= phone.coefficients.ms_per_gmac <= 52
    assert 1e3 / 20 <= phone.coefficients.ms_per_gb <= 1e3 / 10
    # Winograd's products and transforms are counted one by one; what they cost more is the tiles, written and read.
    assert 1 <= phone.coefficients.ms_per_winograd_gmac / phone.coefficients.ms_per_gmac <= 1.25
    # What is not computed on is mostly in the cache still; and a kernel starts in microseconds.
    assert phone.coefficients.ms_per_gb_carried < phone.coefficients.ms_per_gb
    assert 1 < phone.coefficients.us_per_kernel < 20


def test_the_extractor_takes_a_tenth_of_tinys_time_as_in_figure_3(phone: DeviceModel) -> None:
    estimate = phone.estimate(at(TINY))
    assert estimate.by_module["extractor"] / estimate.milliseconds == pytest.approx(0.10, abs=0.02)
    assert set(estimate.by_module) == {"pyramid", "extractor", "injection", "head"}
    assert sum(estimate.by_module.values()) == pytest.approx(estimate.milliseconds)


@pytest.mark.parametrize(
    ("fields", "share"),
    [
        # F(4x4, 3x3) by hand: a tile of 16 outputs takes 36 products of 64 x 64 channels where 144 were, a transform
        # of 2 x 6^3 for each channel that is read and one of 2 x 6 x 4^2 for each that is made.
        ({}, (36 * 64 * 64 + 432 * 64 + 192 * 64) / (144 * 64 * 64)),
        ({"stride": (2, 2)}, 1),
        ({"dilation": (2, 2)}, 1),
        ({"kernel": (5, 5)}, 1),
        ({"groups": 2}, 1),
        ({"channels": 15}, 1),
        ({"channels": 16}, (36 * 16 * 64 + 432 * 16 + 192 * 64) / (144 * 16 * 64)),
        ({"out": 66}, (36 * 64 * 68 + 432 * 64 + 192 * 68) / (144 * 64 * 66)),  # channels in groups of four
        ({"groups": 64}, (9 + 14) / 9),  # 14 more per output
        ({"groups": 64, "kernel": (5, 5)}, (25 + 14) / 25),
        ({"groups": 64, "dilation": (2, 2)}, (9 + 14) / 9),
    ],
)
def test_work_of_a_convolution_by_its_algorithm(fields: dict[str, Any], share: float) -> None:
    step = conv(**fields)
    (kernel,) = kernels([step])
    assert kernel.work == pytest.approx(step.macs * share)


def test_winograd_is_not_taken_where_its_transforms_cost_what_it_saves() -> None:
    # Of one row of one pixel nothing is saved: the tile is computed whole.
    (thin,) = kernels([conv(16, 16, 1)])
    assert (thin.name, thin.extra) == ("conv 3x3", 0)


def test_bytes_are_those_of_inputs_output_and_weights_in_fp32() -> None:
    add = Operation(Kind.ELEMENTWISE, "add", "", ((1, 2, 3, 4), (1, 2, 3, 4)), (1, 2, 3, 4), (1, 0), 2)
    assert [kernel.moved for kernel in kernels([conv(2, 5, 3), add])] == [4 * (18 + 45 + 90), 4 * 72]


def test_normalisation_and_relu_are_free_after_a_convolution_only() -> None:
    shape = (1, 64, 32, 32)
    norm = Operation(Kind.NORM, "batch_norm", "", (shape,), shape, (1,), 2, 128)
    relu = Operation(Kind.ACTIVATION, "relu", "", (shape,), shape, (2,), 3)
    assert [kernel.name for kernel in kernels([conv(), norm, relu])] == ["winograd 3x3"]
    assert [kernel.name for kernel in kernels([norm, relu])] == ["batch_norm", "relu"]
    hardswish = relu._replace(name="hardswish")
    assert [kernel.name for kernel in kernels([conv(), norm, hardswish])] == ["winograd 3x3", "hardswish"]


def test_an_unknown_operation_is_named_charged_and_widens_the_interval(phone: DeviceModel) -> None:
    steps = operations(TINY, 512, 512)
    shape = steps[-1].output
    strange = Operation(Kind.UNKNOWN, "grid_sampler", "warp", (shape,), shape, (steps[-1].writes,), len(steps) + 1)
    plain, odd = phone.estimate(steps), phone.estimate([*steps, strange])
    assert odd.unknown == ("grid_sampler",)
    bytes_ms = phone.coefficients.ms_per_gb_carried * 2 * 4 * 150 * 64 * 64 / 1e9
    assert odd.by_module["warp"] == pytest.approx(bytes_ms + phone.coefficients.us_per_kernel / 1e3)
    assert odd.coverage == pytest.approx(plain.milliseconds / odd.milliseconds)
    assert any("no rule for grid_sampler in warp: charged" in note for note in odd.notes)


@pytest.mark.parametrize("end", list(Boundary))
def test_many_are_estimated_as_each_at_every_boundary(phone: DeviceModel, end: Boundary) -> None:
    half = replace(TINY, injected=(16, 32), num_classes=19)
    candidates = [at(TINY), at(half, 500, 333), at(BASE, 96, 1024)]
    table = phone.estimate_many(candidates, boundary=end)
    for index, candidate in enumerate(candidates):
        one = phone.estimate(candidate, boundary=end)
        for name in ("milliseconds", "low", "high", "coverage", "shared_sd", "own_sd"):
            assert getattr(table, name)[index] == pytest.approx(getattr(one, name))


def test_the_measured_networks_are_covered_and_within_their_range(phone: DeviceModel) -> None:
    estimate = phone.estimate(at(SMALL))
    assert (estimate.coverage, estimate.unknown, estimate.notes) == (1.0, (), ())
    assert estimate.low < 74 < estimate.high
    assert estimate.boundary == "logits at 1/8, no final resize or argmax"


@pytest.mark.parametrize(
    ("change", "kernel"),
    [
        ({"extractor": Extractor.ASPP}, "conv 3x3 dilated"),
        ({"extractor": Extractor.PPM}, "winograd 3x3"),
        ({"pool_stride": 32}, "matmul"),
    ],
)
def test_kernels_that_were_never_measured_lower_the_coverage(
    phone: DeviceModel, change: dict[str, Any], kernel: str
) -> None:
    measured, changed = phone.estimate(at(BASE)), phone.estimate(at(replace(BASE, **change)))
    assert changed.coverage < 1
    assert changed.high / changed.low > measured.high / measured.low
    assert any(f"{kernel} " in note and "never measured" in note for note in changed.notes)


def test_less_coverage_and_more_distance_never_narrow_the_interval(phone: DeviceModel) -> None:
    shares = np.linspace(0, 1, 101)
    assert (np.diff(phone.spread.sd_log(shares, np.zeros(101))) > 0).all()
    assert (np.diff(phone.spread.sd_log(np.zeros(101), shares)) > 0).all()


def test_an_extrapolation_is_said_and_widened(phone: DeviceModel) -> None:
    small, measured = phone.estimate(at(NANO, 128, 128)), phone.estimate(at(TINY))
    assert small.high / small.low > 2 * measured.high / measured.low
    assert any(note.startswith("extrapolated") for note in small.notes)


@pytest.mark.parametrize("name", devices())
def test_every_row_block_pixel_and_channel_costs_time_on_every_device(name: str) -> None:
    row = Bottleneck(kernel=3, expand=4, channels=96, stride=1)
    more = [
        at(replace(NANO, rows=(*NANO.rows, row), taps=(0, 1, 2, 4)), 256, 256),
        at(replace(NANO, blocks=(Block(),) * 3), 256, 256),
        at(replace(NANO, blocks=(Block(heads=5),) * 2), 256, 256),
        at(replace(NANO, width=136), 256, 256),
        at(replace(NANO, num_classes=12), 256, 256),
        at(replace(NANO, injected=(4, 8, 16, 32)), 256, 256),
        at(NANO, 256, 288),
    ]
    assert (
        device(name).estimate_many(more).milliseconds > device(name).estimate(at(NANO, 256, 256)).milliseconds
    ).all()


def test_the_last_step_costs_what_was_timed_on_a_snapdragon_855() -> None:
    # PaddleSeg: Tiny 490.3 ms and Base 480.6 ms with resize and argmax of 150 x 512 x 512 numbers.
    model = device("snapdragon-855")
    rest = [total - model.estimate(at(design)).milliseconds for design, total in ((TINY, 490.3), (BASE, 480.6))]
    assert 1e6 * np.mean(rest) / (150 * 512 * 512) == pytest.approx(model.setup.argmax_ns, abs=0.1)
    assert device("snapdragon-865").setup.argmax_ns == model.setup.argmax_ns


def test_many_candidates_get_what_each_gets_alone(phone: DeviceModel) -> None:
    candidates = [at(TINY, 448, 448), at(BASE), at(NANO, 96, 160), at(replace(BASE, extractor=Extractor.ASPP))]
    table = phone.estimate_many(candidates)
    alone = [phone.estimate(candidate) for candidate in candidates]
    for name in ("milliseconds", "low", "high", "coverage", "sd_log", "shared_sd", "own_sd"):
        assert getattr(table, name) == pytest.approx([getattr(estimate, name) for estimate in alone])
    assert table.probability_above(60) == pytest.approx([estimate.probability_above(60) for estimate in alone])


def test_no_candidates_give_an_empty_table(phone: DeviceModel) -> None:
    assert phone.estimate_many([]).milliseconds.shape == (0,)


def test_the_interval_holds_95_percent(phone: DeviceModel) -> None:
    estimate = phone.estimate(at(BASE))
    assert estimate.probability_above(estimate.low) == pytest.approx(0.975)
    assert estimate.probability_above(estimate.milliseconds) == pytest.approx(0.5)
    assert estimate.probability_above(estimate.high) == pytest.approx(0.025)
    assert estimate.probability_above(0) == 1


def test_interval_of_a_measured_network_by_the_table_of_students_t(phone: DeviceModel) -> None:
    # Four rows less two effective parameters leave two degrees of freedom; t(0.975, 2) = 4.303 in any table.
    root_mean_square = np.sqrt(np.mean([np.log(row.measured_ms / row.left_out_ms) ** 2 for row in phone.rows]))
    estimate = phone.estimate(at(BASE))
    assert np.log(estimate.high / estimate.milliseconds) == pytest.approx(4.303 * root_mean_square, rel=1e-4)


def test_resize_and_argmax_cost_more_than_the_network(phone: DeviceModel) -> None:
    logits, pixels = phone.estimate(at(TINY)), phone.estimate(at(TINY), boundary="argmax")
    assert pixels.milliseconds - logits.milliseconds > 2 * logits.milliseconds
    assert pixels.low < 490.3 < pixels.high  # Snapdragon 855, Paddle-Lite, with resize and argmax
    assert pixels.coverage < 0.2
    assert "argmax" in pixels.boundary


def test_each_boundary_costs_more_than_the_one_before(phone: DeviceModel) -> None:
    logits, upsampled, pixels, repeated = (phone.estimate(at(TINY), boundary=end) for end in Boundary)
    # 64 x 64 places instead of 512 x 512 pixels are compared.
    assert (repeated.milliseconds - logits.milliseconds) == pytest.approx(
        (pixels.milliseconds - logits.milliseconds) / 64, rel=0.05
    )
    assert repeated.boundary == "class of every pixel: argmax of the logits as they are, repeated to the image"
    assert logits.milliseconds < upsampled.milliseconds < pixels.milliseconds
    assert logits.high / logits.low < upsampled.high / upsampled.low
    assert "no upsample graph was timed" in upsampled.notes[-1]


def test_parts_and_kinds_of_kernels_both_add_up_to_the_whole(phone: DeviceModel) -> None:
    estimate = phone.estimate(at(TINY), boundary="argmax")
    for shares in (estimate.by_module, estimate.by_kernel):
        assert sum(shares.values()) == pytest.approx(estimate.milliseconds)
        assert min(shares.values()) > 0


@pytest.mark.parametrize("name", devices())
def test_no_rate_of_any_device_is_negative_and_arithmetic_costs(name: str) -> None:
    coefficients = device(name).coefficients
    assert min(coefficients) >= 0
    assert coefficients.ms_per_gmac > 0


@pytest.mark.parametrize("name", devices())
def test_every_device_ranks_its_networks_as_the_clock_does(name: str) -> None:
    rows = device(name).rows
    left_out, measured = [row.left_out_ms for row in rows], [row.measured_ms for row in rows]
    assert stats.kendalltau(left_out, measured).statistic >= 0.79


def test_a_wrong_boundary_is_refused_with_the_nearest(phone: DeviceModel) -> None:
    with pytest.raises(InputError, match="unknown boundary 'argmin'; did you mean 'argmax'"):
        phone.estimate(at(TINY), boundary="argmin")


def test_an_argmax_of_something_that_is_no_map_is_refused(phone: DeviceModel) -> None:
    linear = Operation(Kind.MATMUL, "linear", "", ((24, 3),), (24, 7), (0,), 1, 28)
    with pytest.raises(InputError, match="needs an image and logits of 4 dimensions"):
        phone.estimate([linear], boundary="argmax")
    assert phone.estimate([linear]).boundary == "output of shape 24x7, nothing after it"


def test_a_network_without_operations_is_refused(phone: DeviceModel) -> None:
    with pytest.raises(InputError, match="at least one operation"):
        phone.estimate([])


def test_a_network_without_arithmetic_still_takes_time(phone: DeviceModel) -> None:
    add = Operation(Kind.ELEMENTWISE, "add", "", ((1, 2, 3, 4), (1, 2, 3, 4)), (1, 2, 3, 4), (0, 0), 1)
    estimate = phone.estimate([add])
    assert 0 < estimate.low < estimate.milliseconds < estimate.high < float("inf")


def test_an_estimate_as_json_and_as_text(phone: DeviceModel) -> None:
    estimate = phone.estimate(at(TINY))
    assert list(json.loads(json.dumps(estimate.to_json()))) == [
        *("milliseconds", "low", "high", "shared_sd", "own_sd", "coverage", "by_module", "by_kernel", "boundary"),
        *("batch", "device"),
        *("unknown", "notes"),
    ]
    text = estimate.render()
    assert f"{estimate.milliseconds:.2f} ms on snapdragon-865" in text
    assert estimate.boundary in text
    assert "extractor" in text


def test_an_estimate_needs_neither_torch_nor_scipys_statistics() -> None:
    program = (
        "import sys; from search_space.candidate import Candidate;"
        "from search_space.latency.calibration.devices import device;"
        "from topformer import TINY; device('snapdragon-865').estimate(Candidate(design=TINY, height=64, width=64));"
        "assert not {'torch', 'scipy.stats', 'pandas'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_probability_is_a_plain_number(phone: DeviceModel) -> None:
    estimate = phone.estimate(at(TINY))
    assert isinstance(estimate, LatencyEstimate)
    assert type(estimate.probability_above(40)) is float

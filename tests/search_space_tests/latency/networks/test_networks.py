"""The calibration networks are those that were timed: parameters and MACs as their sources count them."""

import csv
from math import prod

import pytest
import torch
from torch import nn

from search_space.cost.conventions import macs_paper
from search_space.latency.calibration.devices import CHECKED, FITTED, read_rows
from search_space.latency.calibration.kernel_files import NETWORKS
from search_space.latency.calibration.networks import summed
from search_space.latency.devices import FOLDER, devices
from search_space.latency.kernels import kernels
from search_space.latency.networks.catalogue import Network, catalogue
from search_space.operations.walk import walk

ALL = {network.name: network for network in catalogue()}
WALKED = ("MobileNetV1_x0.25", "MobileNetV2_x0.25", "MobileNetV3_small_x0.35", "ShuffleNetV2_x0.25", "GhostNet_x0.5",
          "ESNet_x0.25", "PPLCNet_x0.25", "ncnn squeezenet", "ncnn resnet18")  # fmt: skip


def shipped() -> dict[str, dict[str, list[int]]]:
    by_network: dict[str, dict[str, list[int]]] = {}
    with NETWORKS.open(newline="") as file:
        for row in csv.DictReader(file):
            numbers = [int(row[column]) for column in ("count", "macs", "work", "moved", "largest")]
            by_network.setdefault(row["network"], {})[row["kernel"]] = numbers
    return by_network


def parameters(network: Network) -> int:
    """As the source counts: PaddleClas with running statistics, ncnn with each normalisation folded to one bias."""
    with torch.device("meta"):
        module = network.build()
    trained = sum(weight.numel() for weight in module.parameters())
    means = sum(m.num_features for m in module.modules() if isinstance(m, nn.BatchNorm2d))
    return trained - means if network.name.startswith("ncnn") else trained + 2 * means


@pytest.mark.parametrize("name", [name for name in ALL if ALL[name].side != 512])
def test_parameters_are_those_of_the_source(name: str) -> None:
    assert parameters(ALL[name]) / 1e6 == pytest.approx(ALL[name].params_m, abs=0.0055)


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("ncnn")])
def test_macs_of_ncnns_networks_are_those_of_its_files(name: str) -> None:
    macs = sum(numbers[1] for numbers in shipped()[name].values())
    assert macs / 1e9 == pytest.approx(ALL[name].macs_g, rel=0.008)


@pytest.mark.parametrize("name", WALKED)
def test_shipped_kernels_are_those_of_the_walk_and_macs_those_of_the_source(name: str) -> None:
    network = ALL[name]
    steps = walk(network.build(), network.side, network.side)
    counted = {k.name: [k.number, k.macs, k.work, k.moved, k.largest] for k in summed(kernels(steps))}
    assert shipped()[name] == counted
    # PaddleClas counts two more per element of a normalisation.
    normed = 0 if name.startswith("ncnn") else sum(prod(step.output) for step in steps if step.name == "batch_norm")
    assert (sum(step.macs for step in steps) + 2 * normed) / 1e9 == pytest.approx(network.macs_g, rel=0.01)


@pytest.mark.parametrize("name", [name for name in ALL if ALL[name].side == 512])
def test_segmentation_networks_have_the_parameters_and_flops_that_their_papers_print(name: str) -> None:
    network = ALL[name]
    module = network.build()
    steps = walk(module, network.side, network.side)
    # The TopFormer paper prints 2.0 and 1.6 for the two LR-ASPP where 2.06 and 1.53 are counted.
    assert sum(weight.numel() for weight in module.parameters()) / 1e6 == pytest.approx(network.params_m, abs=0.08)
    counts = (sum(step.macs for step in steps), sum(map(macs_paper, steps)))
    assert min(abs(count / 1e9 - network.macs_g) for count in counts) <= 0.065


def test_every_network_of_a_device_is_in_the_catalogue_or_beside_its_times() -> None:
    with_file = {name for name in devices() if (FOLDER / name / "kernels.csv").exists()}
    assert with_file == {"snapdragon-865"}
    for name in set(devices()) - with_file:
        assert {row.name for role in (FITTED, CHECKED) for row in read_rows(FOLDER / name, role)} <= set(ALL)


def test_no_network_has_an_operation_without_a_rule() -> None:
    names = {kernel for kernels_of in shipped().values() for kernel in kernels_of}
    assert names <= {
        *("conv 1x1", "conv 3x3", "conv 7x7", "winograd 3x3", "grouped 1x1", "grouped 3x3"),
        *("depthwise 3x3", "depthwise 5x5", "depthwise 7x7", "depthwise 5x5 dilated", "depthwise 3x3 dilated"),
        *("linear", "add", "mul", "cat", "relu", "hardswish", "hardsigmoid", "sigmoid", "silu", "bilinear"),
        *(
            "avg_pool",
            "max_pool 2x2",
            "max_pool 3x3",
            "avg_pool 3x3",
            "mean",
            "div",
            "relu6",
            "matmul",
            "softmax",
            "depthwise 1x1",
        ),
    }

"""The counters on small modules, with the arithmetic written out."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from search_space.cost.counters import Count, count_flop_counter_mode, count_fvcore, count_thop
from search_space.operations.operation import Kind
from topformer.errors import UnknownOperator
from topformer.network import TopFormer
from topformer.presets import NANO

COUNTERS = (count_fvcore, count_thop, count_flop_counter_mode)
CELLS = 6 * 5


class Small(nn.Module):
    """A convolution with bias, a normalisation, an activation, a matrix product of a map with itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.Hardsigmoid()

    def forward(self, image: Tensor) -> Tensor:
        x: Tensor = self.act(self.norm(self.conv(image))).flatten(2)
        return torch.matmul(x.transpose(1, 2), x)


CONV, PRODUCT, ELEMENTS = CELLS * 4 * 3 * 9, CELLS * 4 * CELLS, CELLS * 4


@pytest.mark.parametrize(
    ("count", "macs"),
    [
        (count_fvcore, {Kind.CONV: CONV, Kind.NORM: 2 * ELEMENTS, Kind.MATMUL: PRODUCT}),
        (count_thop, {Kind.CONV: CONV, Kind.NORM: 4 * ELEMENTS}),
        (count_flop_counter_mode, {Kind.CONV: CONV, Kind.MATMUL: PRODUCT}),
    ],
)
def test_what_each_counter_counts(count, macs):
    assert count(Small(), 6, 5).macs == macs


def test_the_total_is_the_sum_over_the_kinds():
    count = Count(counter="any", macs={Kind.CONV: 3, Kind.NORM: 4}, unsupported={})
    assert count.total == 7


def test_fvcore_reports_operators_without_rule():
    assert count_fvcore(Small(), 6, 5).unsupported == {"aten::hardsigmoid": 1}


def test_thop_reports_modules_without_rule():
    assert count_thop(Small(), 6, 5).unsupported == {"Hardsigmoid": 1}


def test_thop_counts_a_single_module():
    assert count_thop(nn.Conv2d(3, 4, 3, padding=1), 6, 5).macs == {Kind.CONV: CONV}


def test_thop_refuses_a_module_that_it_counts_and_this_project_does_not_know():
    with pytest.raises(UnknownOperator, match="thop counts ConvTranspose2d"):
        count_thop(nn.Sequential(nn.ConvTranspose2d(3, 4, 3)), 6, 5)


@pytest.mark.parametrize("count", COUNTERS)
def test_the_model_is_left_as_it_was(count):
    model = TopFormer(NANO)
    model.head.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    count(model, 64, 64)
    assert [module.training for module in model.modules()] == modes
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("count", COUNTERS)
def test_counting_prints_nothing(count, capfd):
    count(TopFormer(NANO), 64, 64)
    assert capfd.readouterr() == ("", "")


def test_importing_the_counters_warns_of_nothing():
    program = [sys.executable, "-W", "error", "-c", "import search_space.cost.counters"]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")

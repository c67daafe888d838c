"""The networks of Table 1 from mmsegmentation have the kernels that ship with the device."""

import pytest

from search_space.latency.calibration import CHECKED, FOLDER, read_rows
from search_space.latency.kernels import kernels
from search_space.latency.rebuild import summed
from search_space.latency.walk import walk


# What mmsegmentation imports is deprecated by the torch that is installed.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", ["SegFormer MiT-B0", "FCN-8s MobileNetV2"])
def test_shipped_kernels_are_those_of_mmsegmentations_network(name: str) -> None:
    from experiments.evaluators.mmseg_baselines import SIDE, baseline

    (row,) = (row for row in read_rows(FOLDER / "snapdragon-865", CHECKED) if row.name == name)
    found = summed(kernels(walk(baseline(name), SIDE, SIDE)))
    assert tuple(kernel._replace(ruled=True) for kernel in found) == row.kernels

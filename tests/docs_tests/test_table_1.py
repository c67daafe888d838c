"""The networks of Table 1: kernels that ship with the device, parameters and FLOPs that the paper prints."""

import pytest

from analysis.reference import published_points
from experiments.ablations.definition import table
from search_space.latency.calibration.devices import CHECKED, read_rows
from search_space.latency.calibration.left_out import left_out
from search_space.latency.calibration.networks import summed
from search_space.latency.devices import FOLDER
from search_space.latency.kernels import kernels
from search_space.operations.walk import walk
from tests import ROOT

PAGE = ROOT / "docs" / "table-1.md"

# What mmsegmentation imports is deprecated by the torch that is installed.
quiet = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
pytestmark = quiet

FAST = ("FCN-8s MobileNetV2", "Lite-ASPP MobileNetV2", "DeepLabV3+ ShuffleNetV2-1.5x")
ALL = (
    *(pytest.param(name) for name in FAST),
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in (
            *("SegFormer MiT-B0", "PSPNet MobileNetV2", "DeepLabV3+ MobileNetV2", "DeepLabV3+ EfficientNet"),
            *("Lite-ASPP ResNet18", "HRNet-W18-Small", "Semantic FPN ConvMLP-S"),
        )
    ),
)


def rows() -> dict[str, list[str]]:
    """Cells of the page by network."""
    lines = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines[2:]}


@pytest.mark.parametrize("name", ALL)
def test_a_rebuilt_network_is_the_one_that_the_paper_counts_and_ships_as_kernels(name: str) -> None:
    from docs.make.baselines import SIDE, auxiliary_parameters, build_baseline
    from docs.make.table_1 import macs_of_mmcv

    network = build_baseline(name)
    steps = walk(network, SIDE, SIDE)
    (row,) = (row for row in read_rows(FOLDER / "snapdragon-865", CHECKED) if row.name == name)
    assert tuple(kernel._replace(ruled=True) for kernel in summed(kernels(steps))) == row.kernels

    (paper,) = (point for point in published_points("miou@ade20k") if point.name in (name, f"{name} {name}"))
    trained = sum(weight.numel() for weight in network.parameters()) + auxiliary_parameters(name)
    assert trained / 1e6 == pytest.approx(paper.parameters_m, abs=0.07)
    counts = (sum(step.macs for step in steps), macs_of_mmcv(steps))
    assert min(abs(count / 1e9 / paper.gflops - 1) for count in counts) < 0.01

    stated = next(row for row in table("table-1").rows if row.label == name).counted
    assert (stated["parameters"].value, stated["macs_paper"].value) == (trained, counts[1])

    cells = rows()[name]
    assert cells[1] == f"{trained / 1e6:.3f}"
    assert cells[3] == f"{counts[0] / 1e9:.3f}"


def test_the_page_lists_all_seventeen_rows_with_the_latencies_of_the_device() -> None:
    page = rows()
    assert len(page) == 17
    for told in left_out("snapdragon-865"):
        cells = page[told.row.name.replace("T 448", "T @448")]
        assert cells[7:] == [
            f"{told.milliseconds:.1f}", f"{told.low:.0f} to {told.high:.0f}", f"{told.row.latency_ms:g}",
            f"{told.error:+.1%}",
        ]  # fmt: skip

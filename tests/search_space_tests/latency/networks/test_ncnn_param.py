"""Networks read from ncnn's own files, against what is known of them from elsewhere."""

from pathlib import Path

import pytest

from search_space.latency.calibration.devices import HELD_OUT, read_rows
from search_space.latency.calibration.left_out import device_report
from search_space.latency.calibration.networks import read_kernels, summed
from search_space.latency.devices import folder_of
from search_space.latency.networks.ncnn_param import FOLDER, SIDES, operations_of
from topformer.errors import InputError

NCNN_DEVICES = ("jetson-agx-orin", "raspberry-pi-4", "raspberry-pi-5", "snapdragon-855-plus")


def read(name: str) -> list[int]:
    """Multiply-accumulates and parameters."""
    path = FOLDER / f"{name}.param"
    steps = operations_of(path, SIDES[path])
    return [sum(step.macs for step in steps), sum(step.parameters for step in steps)]


def test_every_file_is_read() -> None:
    assert set(FOLDER.glob("*.param")) == set(SIDES)


def test_alexnet_multiplies_what_its_layers_say() -> None:
    # Five convolutions, two groups in three of them, and three products; 227 x 227 as in Krizhevsky et al. (2012).
    convolutions = 55**2 * 96 * 3 * 11**2 + 27**2 * 256 * 48 * 25 + 13**2 * 9 * (384 * 256 + 384 * 192 + 256 * 192)
    products = 9216 * 4096 + 4096 * 4096 + 4096 * 1000
    biases = 96 + 256 + 384 + 384 + 256 + 4096 + 4096 + 1000
    weights = 96 * 3 * 11**2 + 256 * 48 * 25 + 9 * (384 * 256 + 384 * 192 + 256 * 192) + products
    assert read("alexnet") == [convolutions + products, weights + biases]


# GMACs that were counted from the same files by another reader.
@pytest.mark.parametrize(
    ("name", "gmacs"),
    [
        *(("googlenet", 1.5827), ("FastestDet", 0.1215), ("blazeface", 0.0294), ("efficientnetv2_b0", 0.7181)),
        *(("mobilenetv2_yolov3", 1.1827), ("nanodet_m", 0.3422), ("squeezenet_ssd", 1.176), ("yolov4-tiny", 3.4539)),
        *(("mobilenet_ssd", 1.1485), ("yolo-fastest-1.1", 0.1254), ("yolo-fastestv2", 0.1064)),
    ],
)
def test_macs_agree_with_another_count(name: str, gmacs: float) -> None:
    assert read(name)[0] / 1e9 == pytest.approx(gmacs, rel=1e-3, abs=5e-5)


def test_the_shared_kernels_are_those_of_the_files() -> None:
    shipped = {row.name: row.kernels for row in read_rows(folder_of("raspberry-pi-5"), HELD_OUT)}
    for name, graph in read_kernels():
        ours = [(k.name, k.number, k.macs, k.work, k.moved, k.largest) for k in summed(graph)]
        assert [(k.name, k.number, k.macs, k.work, k.moved, k.largest) for k in shipped[name]] == ours


def test_intervals_cover_new_constructions() -> None:
    found = [one for name in NCNN_DEVICES for one in device_report(name).held_out]
    assert len(found) == 51
    assert sum(one.inside for one in found) >= 0.95 * len(found)


@pytest.mark.parametrize("name", NCNN_DEVICES)
def test_held_out_networks_are_predicted_better_than_by_macs(name: str) -> None:
    found = device_report(name).held_out_summary
    assert found is not None
    assert found.errors.mean < 0.22 < 0.4 < found.macs_errors.mean


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7767516\n1 1\n", "first line must be 7767517"),
        ("7767517\n2 2\nInput a 0 1 a 0=8 1=8 2=3\nSpectral b 1 1 a b\n", "'Spectral' is not known"),
    ],
)
def test_another_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.param"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        operations_of(path, 8)

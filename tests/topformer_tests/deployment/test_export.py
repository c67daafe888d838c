"""Exported graphs: read back, run, compared with torch; what cannot be exported says so and leaves nothing."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from topformer import __version__
from topformer.deployment import runtimes as formats
from topformer.deployment.boundary import SUFFIXES, Boundary, Format
from topformer.deployment.export import Exported, export
from topformer.deployment.graph import deployed
from topformer.design import Extractor, Head, Pooled
from topformer.errors import CheckpointError, ExplorerError, InputError
from topformer.network import TopFormer
from topformer.presets import NANO

HEIGHT, WIDTH = 72, 104  # not multiples of 32, so that grids are rounded and pooling windows overlap
DESIGN = replace(NANO, num_classes=7)


def written(tmp_path: Path, to: Format, boundary: Boundary = Boundary.LOGITS, **options: object) -> Exported:
    path = tmp_path / f"network{SUFFIXES[to]}"
    return export(DESIGN, path, to=to, height=HEIGHT, width=WIDTH, boundary=boundary, **options)  # type: ignore[arg-type]


def image() -> np.ndarray:
    return np.random.default_rng(5).random((1, 3, HEIGHT, WIDTH), dtype=np.float32)


@pytest.fixture(scope="module")
def onnx_files(tmp_path_factory: pytest.TempPathFactory) -> dict[Boundary, Path]:
    """One export per boundary, for an export takes seconds."""
    ends = (Boundary.LOGITS, Boundary.ARGMAX)
    return {end: written(tmp_path_factory.mktemp(end), Format.ONNX, end).files[0] for end in ends}


def test_onnx_agrees_with_torch_on_another_image(onnx_files: dict[Boundary, Path]) -> None:
    network = deployed(DESIGN, size=(HEIGHT, WIDTH), boundary=Boundary.LOGITS)
    expected = formats.evaluate(network, image())
    actual = formats.RUNNERS[Format.ONNX](onnx_files[Boundary.LOGITS], image())
    assert actual.shape == (1, 7, 9, 13)
    assert np.abs(actual - expected).max() < 1e-4 * expected.std()


@pytest.mark.parametrize("boundary", [Boundary.LOGITS, Boundary.UPSAMPLE])
def test_ncnn_agrees_with_torch_on_another_image(tmp_path: Path, boundary: Boundary) -> None:
    path = written(tmp_path, Format.NCNN, boundary, seed=3).files[0]
    network = deployed(DESIGN, size=(HEIGHT, WIDTH), boundary=boundary, seed=3)
    expected = formats.evaluate(network, image())
    assert np.abs(formats.RUNNERS[Format.NCNN](path, image()) - expected).max() < 1e-4 * expected.std()


@pytest.mark.parametrize("extractor", [Extractor.PPM, Extractor.ASPP, Extractor.FFN])
def test_ablated_networks_pass_the_check_too(tmp_path: Path, extractor: Extractor) -> None:
    design = replace(DESIGN, extractor=extractor, pooled=Pooled.LAST, head=Head.CONCAT)
    exported = export(design, tmp_path / "a.param", to=Format.NCNN, height=64, width=64)
    assert exported.difference < 1e-4


def test_an_onnx_file_holds_no_batch_norm_and_is_complete(onnx_files: dict[Boundary, Path]) -> None:
    import onnx

    model = onnx.load(onnx_files[Boundary.LOGITS], load_external_data=False)
    onnx.checker.check_model(model)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert [path.name for path in onnx_files[Boundary.LOGITS].parent.iterdir()] == ["network.onnx"]


def test_argmax_of_the_file_is_argmax_of_torch(onnx_files: dict[Boundary, Path]) -> None:
    network = deployed(DESIGN, size=(HEIGHT, WIDTH), boundary=Boundary.UPSAMPLE)
    with torch.inference_mode():
        expected = network(torch.from_numpy(image())).argmax(dim=1).numpy()
    assert np.mean(formats.RUNNERS[Format.ONNX](onnx_files[Boundary.ARGMAX], image()) == expected) >= 0.999


@pytest.mark.slow
@pytest.mark.parametrize("boundary", [Boundary.LOGITS, Boundary.UPSAMPLE])
def test_one_file_takes_images_of_many_sizes(tmp_path: Path, boundary: Boundary) -> None:
    path = tmp_path / "network.onnx"
    exported = export(DESIGN, path, to=Format.ONNX, height=64, width=128, boundary=boundary, dynamic=True)
    assert "multiples of 64" in exported.render()
    for height, width in ((64, 64), (192, 320)):
        one = np.random.default_rng(2).random((1, 3, height, width), dtype=np.float32)
        # The network of a fixed size pools to a grid, the file by windows: the same for multiples of the stride.
        expected = formats.evaluate(deployed(DESIGN, size=(height, width), boundary=boundary), one)
        actual = formats.RUNNERS[Format.ONNX](path, one)
        assert actual.shape == expected.shape
        assert np.abs(actual - expected).max() < 1e-4 * expected.std()


@pytest.mark.parametrize("pooled", list(Pooled))
def test_windows_pool_what_a_grid_pools(pooled: Pooled) -> None:
    design = replace(DESIGN, pooled=pooled)
    fixed, free = (deployed(design, size=size, boundary=Boundary.LOGITS) for size in ((128, 64), None))
    one = np.random.default_rng(3).random((1, 3, 128, 64), dtype=np.float32)
    np.testing.assert_allclose(formats.evaluate(free, one), formats.evaluate(fixed, one), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("to", "change", "height", "message"),
    [
        (Format.NCNN, {}, 64, "only onnx files take images of several sizes, got 'ncnn'"),
        (Format.ONNX, {}, 96, "height must be a multiple of 64, got 96"),
        (Format.ONNX, {"extractor": Extractor.PPM}, 64, "a ppm extractor pools to grids of fixed sides"),
    ],
)
def test_sizes_that_cannot_be_free_are_refused(
    tmp_path: Path, to: Format, change: dict[str, Extractor], height: int, message: str
) -> None:
    path, design = tmp_path / f"network{SUFFIXES[to]}", replace(DESIGN, **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        export(design, path, to=to, height=height, width=64, dynamic=True)
    assert list(tmp_path.iterdir()) == []


def test_weights_come_from_a_checkpoint_of_ours(tmp_path: Path) -> None:
    model = TopFormer(DESIGN)
    torch.nn.init.constant_(model.head.classifier.bias, 1000.0)  # type: ignore[union-attr,arg-type]
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    path = written(tmp_path, Format.TORCHSCRIPT, checkpoint=tmp_path / "weights.pt").files[0]
    assert formats.RUNNERS[Format.TORCHSCRIPT](path, image()).min() > 900


def test_a_checkpoint_of_another_design_is_refused(tmp_path: Path) -> None:
    torch.save(TopFormer(replace(NANO, width=64)).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="of another design"):
        written(tmp_path, Format.TORCHSCRIPT, checkpoint=tmp_path / "weights.pt")


def test_random_weights_are_those_of_the_seed_and_said_so(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, same = written(tmp_path, Format.NCNN, seed=4), written(tmp_path / "other", Format.NCNN, seed=4)
    assert one.sha256 == same.sha256 != written(tmp_path, Format.NCNN, seed=5).sha256
    assert "random, seed 4" in one.render()


@pytest.mark.parametrize("to", [Format.NCNN, Format.TORCHSCRIPT])
def test_a_file_that_differs_from_torch_is_not_left_behind(
    tmp_path: Path, to: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = formats.RUNNERS[to]
    monkeypatch.setattr(formats, "RUNNERS", {to: lambda path, given: 1.001 * run(path, given)})
    with pytest.raises(ExplorerError, match="differs from torch by"):
        written(tmp_path, to)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_gives_no_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = formats.RUNNERS[Format.NCNN]
    monkeypatch.setattr(formats, "RUNNERS", {Format.NCNN: lambda path, given: run(path, given) * np.nan})
    with pytest.raises(ExplorerError, match="by nan"):
        written(tmp_path, Format.NCNN)


@pytest.mark.parametrize("boundary", [Boundary.ARGMAX, Boundary.ARGMAX_NEAREST])
def test_ncnn_cannot_take_the_argmax_of_pixels(tmp_path: Path, boundary: Boundary) -> None:
    with pytest.raises(InputError, match="boundary must be logits or upsample"):
        written(tmp_path, Format.NCNN, boundary)


@pytest.mark.parametrize("to", [Format.ONNX, Format.TORCHSCRIPT])
def test_repeated_classes_are_the_argmax_of_the_logits_place_by_place(tmp_path: Path, to: Format) -> None:
    path = written(tmp_path, to, Boundary.ARGMAX_NEAREST).files[0]
    network = deployed(DESIGN, size=(HEIGHT, WIDTH), boundary=Boundary.LOGITS)
    classes = formats.evaluate(network, image())[0].argmax(axis=0)
    # Each pixel takes the place that its upper left corner lies in.
    rows, columns = (np.arange(side) * places // side for side, places in zip((HEIGHT, WIDTH), (9, 13), strict=True))
    actual = formats.RUNNERS[to](path, image())
    assert actual.shape == (1, HEIGHT, WIDTH)
    assert np.mean(actual[0] == classes[rows][:, columns]) >= 0.999


def test_the_ending_of_the_name_belongs_to_the_format(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in \.onnx, got 'a\.bin'"):
        export(DESIGN, tmp_path / "a.bin", to=Format.ONNX, height=64, width=64)


@pytest.mark.parametrize(("to", "name"), [(Format.ONNX, "onnxscript"), (Format.NCNN, "pnnx"), (Format.NCNN, "ncnn")])
def test_a_missing_package_is_named_with_the_line_that_installs_it(
    tmp_path: Path, to: Format, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ExplorerError, match=f"{name} cannot be imported.*install it with: python -m pip install"):
        written(tmp_path, to)


def test_a_failing_converter_is_named_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pnnx"
    program.write_text("#!/bin/sh\necho broken graph >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setitem(sys.modules, "pnnx", SimpleNamespace(EXEC_PATH=str(program)))
    with pytest.raises(ExplorerError, match="pnnx failed with status 3: broken graph"):
        written(tmp_path, Format.NCNN)


def test_an_onnx_file_says_what_it_takes(onnx_files: dict[Boundary, Path]) -> None:
    import onnx

    held = {item.key: item.value for item in onnx.load(onnx_files[Boundary.ARGMAX]).metadata_props}
    # Of mmsegmentation's configurations for ImageNet weights.
    assert json.loads(held["mean"]) == [123.675, 116.28, 103.53]
    assert json.loads(held["std"]) == [58.395, 57.12, 57.375]
    assert (held["channel_order"], json.loads(held["size"])) == ("RGB", [HEIGHT, WIDTH])
    assert (held["boundary"], held["classes"], held["topformer_version"]) == ("argmax", "7", __version__)


def test_what_ncnn_takes_stands_beside_it(tmp_path: Path) -> None:
    exported = written(tmp_path, Format.NCNN)
    held = json.loads((tmp_path / "network.param.json").read_text())
    assert (held["channel_order"], held["size"], held["boundary"]) == ("RGB", [HEIGHT, WIDTH], "logits")
    assert "RGB, 0 to 255, minus 123.675" in exported.render()
    written(tmp_path, Format.NCNN)


@pytest.mark.parametrize("opset", [11, 15, 18])
def test_older_sets_and_batches_are_written(opset: int, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "network.onnx"
    export(DESIGN, path, to=Format.ONNX, height=64, width=128, opset=opset, batch=2)
    assert onnx.load(path).opset_import[0].version == opset
    one = np.random.default_rng(2).random((2, 3, 64, 128), dtype=np.float32)
    expected = formats.evaluate(deployed(DESIGN, size=(64, 128), boundary=Boundary.LOGITS), one)
    assert np.abs(formats.RUNNERS[Format.ONNX](path, one) - expected).max() < 1e-4 * expected.std()


@pytest.mark.parametrize(
    ("to", "options", "message"),
    [
        (Format.NCNN, {"batch": 2}, "ncnn takes one image at a time, so batch must be 1 for it, got 2"),
        (Format.NCNN, {"opset": 11}, "only onnx files have an opset, got 'ncnn' with opset 11"),
        (Format.ONNX, {"opset": 11}, "with opset 11 height must be a multiple of 64, got 72"),
        (Format.ONNX, {"opset": 10}, "opset must be an integer from 11 to 23, got 10"),
        (Format.ONNX, {"batch": 0}, "batch must be an integer of at least 1, got 0"),
    ],
)
def test_an_input_that_the_format_does_not_take_is_refused(
    to: Format, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        written(tmp_path, to, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("to", "name"), [(Format.ONNX, "network.onnx"), (Format.NCNN, "network.bin"), (Format.NCNN, "network.param.json")]
)
def test_a_file_that_no_export_wrote_is_left(to: Format, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"{name} is there already and no file of topformer export"):
        written(tmp_path, to)
    assert (tmp_path / name).read_text() == "mine"

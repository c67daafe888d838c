"""The door to ONNX and ncnn: torch modules as their files, and the engines that run these."""

import logging
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from topformer.deployment.boundary import LEAST_OF_DYNAMO, OPSET, Format
from topformer.errors import ExplorerError, InputError

Array = NDArray[Any]

INSTALL = "python -m pip install onnx onnxscript onnxruntime ncnn pnnx"
"""What installs the packages that this module needs."""

_PNNX_SECONDS = 600

_MOST = 128
"""Most multiples in a side: images of up to 8192 px at a pooling stride of 64."""


def evaluate(network: nn.Module, image: Array) -> Array:
    """What torch gives for an image."""
    with torch.inference_mode():
        output: Array = network(torch.from_numpy(image)).numpy()
    return output


def _write_onnx(network: nn.Module, path: Path, image: Array, step: int = 0, opset: int = OPSET) -> tuple[Path, ...]:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        package(name)
    # A side of one multiple would be taken for a constant, so free sides are traced at two and three.
    example = torch.zeros(len(image), 3, 2 * step, 3 * step) if step else torch.from_numpy(image)
    names: dict[str, Any] = {"input_names": ["image"], "output_names": ["out"], "opset_version": opset}
    with _quiet():
        if opset < LEAST_OF_DYNAMO:
            _write_older_onnx(network, path, example, names)
            return (path,)
        shapes = _multiples(step) if step else None
        program = torch.onnx.export(network, (example,), dynamo=True, verbose=False, dynamic_shapes=shapes, **names)
        assert program is not None
        program.save(path, external_data=False)
    return (path,)


def _write_older_onnx(network: nn.Module, path: Path, example: torch.Tensor, names: dict[str, Any]) -> None:
    """By torch's former exporter, which knows the operations of older sets; it traces and has no free sides.

    Raises:
        InputError: The graph needs an operation that the set has not.
    """
    try:
        torch.onnx.export(network, (example,), path, dynamo=False, verbose=False, **names)
    except torch.onnx.errors.OnnxExporterError as error:
        raise InputError(
            f"opset {names['opset_version']} cannot express the network at {example.shape[2]} x {example.shape[3]} px "
            f"({str(error).split('. ')[0].splitlines()[0]}); take sides in multiples of its pooling stride, or opset "
            f"{LEAST_OF_DYNAMO} or above"
        ) from error


def onnx_properties(path: Path) -> dict[str, str]:
    """The `metadata_props` of an ONNX file; none of any other file.

    Raises:
        ExplorerError: The package onnx is missing.
    """
    onnx, decode_error = package("onnx"), package("google.protobuf.message").DecodeError
    try:
        return {item.key: item.value for item in onnx.load(path, load_external_data=False).metadata_props}
    except (OSError, ValueError, decode_error):
        return {}


def set_onnx_properties(path: Path, texts: Mapping[str, str]) -> None:
    """Write `metadata_props` into an ONNX file."""
    onnx = package("onnx")
    model = onnx.load(path)
    onnx.helper.set_model_props(model, dict(texts))
    onnx.save(model, path)


def _multiples(step: int) -> tuple[dict[int, Any]]:
    """Height and width in multiples of `step`, each of its own."""
    return ({axis: step * torch.export.Dim(name, min=1, max=_MOST) for axis, name in ((2, "rows"), (3, "columns"))},)


def _write_torchscript(
    network: nn.Module,
    path: Path,
    image: Array,
    step: int = 0,  # noqa: ARG001
    opset: int = OPSET,  # noqa: ARG001
) -> tuple[Path, ...]:
    with _quiet(), torch.inference_mode():
        torch.jit.trace(network, torch.from_numpy(image), check_trace=False).save(str(path))  # type: ignore[no-untyped-call]
    return (path,)


def _write_ncnn(
    network: nn.Module,
    path: Path,
    image: Array,
    step: int = 0,  # noqa: ARG001
    opset: int = OPSET,  # noqa: ARG001
) -> tuple[Path, ...]:
    program, weights = package("pnnx").EXEC_PATH, path.with_suffix(".bin")
    package("ncnn")
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write_torchscript(network, folder / "network.pt", image)
        shape = ",".join(map(str, image.shape))
        # pnnx writes half of its files beside its input, whatever it is asked.
        command = [program, "network.pt", f"inputshape=[{shape}]", "fp16=0", "ncnnparam=out.param", "ncnnbin=out.bin"]
        try:
            done = subprocess.run(  # noqa: S603  # the program of the package that was just found
                command,
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PNNX_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ExplorerError(f"pnnx did not finish within {_PNNX_SECONDS} seconds") from None
        if done.returncode or not (folder / "out.bin").exists():
            last_line = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise ExplorerError(f"pnnx failed with status {done.returncode}: {''.join(last_line) or 'no message'}")
        path.write_bytes((folder / "out.param").read_bytes())
        weights.write_bytes((folder / "out.bin").read_bytes())
    return path, weights


WRITERS: Mapping[Format, Callable[[nn.Module, Path, Array, int, int], tuple[Path, ...]]] = MappingProxyType(
    {Format.ONNX: _write_onnx, Format.NCNN: _write_ncnn, Format.TORCHSCRIPT: _write_torchscript}
)
"""Writes a network for the image's size, or where a format can for all multiples of the number, which is then above 0,
with the operations of an opset of ONNX; the files, the one of the given name first."""


def _run_onnx(path: Path, image: Array) -> Array:
    session = package("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    output: Array = session.run(None, {"image": image})[0]
    return output


def _run_ncnn(path: Path, image: Array) -> Array:
    ncnn = package("ncnn")
    net = ncnn.Net()
    for option in ("packed", "storage", "arithmetic"):
        setattr(net.opt, f"use_fp16_{option}", False)
    if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
        raise ExplorerError(f"ncnn cannot read the graph that pnnx wrote: {path.name}")
    extractor = net.create_extractor()
    extractor.input("in0", ncnn.Mat(image[0]).clone())
    status, out = extractor.extract("out0")
    if status:
        raise ExplorerError(f"ncnn cannot run the graph that pnnx wrote: status {status}")
    return np.array(out)[None]


def _run_torchscript(path: Path, image: Array) -> Array:
    with _quiet():
        return evaluate(torch.jit.load(str(path)), image)  # type: ignore[no-untyped-call]


RUNNERS: Mapping[Format, Callable[[Path, Array], Array]] = MappingProxyType(
    {Format.ONNX: _run_onnx, Format.NCNN: _run_ncnn, Format.TORCHSCRIPT: _run_torchscript}
)
"""What the engine of the format gives for an image."""


def package(name: str) -> Any:
    """An optional package.

    Raises:
        ExplorerError: It is not installed; the message has the line that installs it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ExplorerError(f"{name} cannot be imported ({error}); install it with: {INSTALL}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's remarks on its own exporters from the user, who can do nothing about them."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")  # names torchvision, which we do without
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # TracerWarning: comparing grids is constant for a fixed input size, and the check compares the outputs.
            # The others: torch.jit is deprecated, but pnnx reads nothing else; torch.onnx uses deprecated parts.
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)

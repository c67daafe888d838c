"""What an exported file takes and gives, written into it or beside it, so that nobody has to guess."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from topformer import __version__
from topformer.deployment.boundary import Boundary, Format
from topformer.deployment.runtimes import onnx_properties, set_onnx_properties
from topformer.errors import ExplorerError, StorageError
from topformer.files import check_place, read_object, write_json
from topformer.pixels import MEAN, STD

VERSION_KEY = "topformer_version"
"""The key that says who wrote a file."""
_MADE = "file of topformer export"

_OUTPUT: Mapping[Boundary, str] = MappingProxyType(
    {
        Boundary.LOGITS: "logits at the finest injected scale; resize bilinearly (align_corners false), then argmax",
        Boundary.UPSAMPLE: "logits at the size of the image; argmax over the classes",
        Boundary.ARGMAX: "class number of every pixel",
        Boundary.ARGMAX_NEAREST: "class number of every pixel, each of the finest injected scale repeated",
    }
)


def description(
    *,
    boundary: Boundary,
    batch: int,
    size: tuple[int, int],
    step: int,
    classes: int,
    class_names: Iterable[str],
    weights: str,
) -> dict[str, Any]:
    """Everything that a program must know to use a file, as plain JSON.

    Args:
        boundary: Where the graph ends.
        batch: Images in one input.
        size: Input height and width in pixels.
        step: Of what the sides must be multiples where the file takes many sizes; 0 where it takes one.
        classes: Channels of the logits.
        class_names: Their names, if the weights say them.
        weights: Where the weights come from.
    """
    return {
        VERSION_KEY: __version__,
        "input": "(pixel - mean) / std, pixels from 0 to 255",
        "mean": list(MEAN),
        "std": list(STD),
        "channel_order": "RGB",
        "layout": "NCHW",
        "batch": batch,
        "size": list(size),
        "size_multiple_of": step or None,
        "boundary": boundary.value,
        "output": _OUTPUT[boundary],
        "classes": classes,
        "class_names": list(class_names) or None,
        "weights": weights,
    }


def beside(path: Path) -> Path:
    """The JSON file beside a file whose format has no place for a description."""
    return path.with_name(f"{path.name}.json")


def describe(path: Path, to: Format, about: Mapping[str, Any]) -> tuple[Path, ...]:
    """Write a description: into an ONNX file as its `metadata_props`, beside others as JSON, which is then given."""
    if to is not Format.ONNX:
        write_json(beside(path), about)
        return (beside(path),)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}
    set_onnx_properties(path, texts)
    return ()


def check_export_place(path: Path, to: Format, inputs: Iterable[Path]) -> None:
    """An export may go here: there is nothing, or an earlier export that is no input.

    Raises:
        InputError: Another file is there.
    """
    read = list(inputs)
    others = [path.with_suffix(".bin")] if to is Format.NCNN else []
    for place in (path, *others, *([] if to is Format.ONNX else [beside(path)])):
        check_place(place, lambda _: was_exported(path, to), read, made=_MADE)


def was_exported(path: Path, to: Format) -> bool:
    """Whether a file was written by this project's export."""
    if to is Format.ONNX:
        return VERSION_KEY in onnx_properties(path)
    try:
        return VERSION_KEY in read_object(beside(path), error=StorageError)
    except ExplorerError:
        return False

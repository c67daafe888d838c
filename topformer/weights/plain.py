"""Checkpoint files as plain data: told from other files, tested for damage, and read without running anything."""

import argparse
import pickle
import zipfile
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from topformer.errors import CheckpointError, shown
from topformer.files import check_regular

STATES = ("state_dict_ema", "state_dict", "model")
"""Where a checkpoint keeps its tensors, the averaged weights first; a bare one holds them itself."""
CRC_HINT = "a checksum in it does not fit"

_HISTORY = "mmengine.logging.history_buffer.HistoryBuffer"
"""The class under whose name mmengine stores logged values in every checkpoint."""
_WRAPPERS = frozenset({"module", "_orig_mod"})
"""What torch's DataParallel, AveragedModel and torch.compile put into the names of a wrapped network's tensors."""
_COUNTER = "n_averaged"
"""A number of AveragedModel beside the tensors of the network."""
_HEAD = 512
_PAGE = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<script")
_LFS = b"version https://git-lfs.github.com/spec/"
_ZIP, _EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
_OTHERS: Mapping[bytes, str] = MappingProxyType(
    {
        b"\x1f\x8b": "a gzip archive; unpack it first",
        b"BZh": "a bzip2 archive; unpack it first",
        b"\xfd7zXZ": "an xz archive; unpack it first",
        b"7z\xbc\xaf": "a 7-Zip archive; unpack it first",
        b"Rar!": "a RAR archive; unpack it first",
        b"\x28\xb5\x2f\xfd": "a zstd archive; unpack it first",
        b"\x89HDF": "an HDF5 file, of another framework",
        b"\x93NUMPY": "a numpy array",
        b"\x89PNG": "a PNG image",
        b"\xff\xd8\xff": "a JPEG image",
        b"%PDF": "a PDF document",
        _EMPTY_ZIP: "an empty zip archive",
    }
)
"""First bytes of files that people have under the name of a checkpoint."""


class History:
    """Stands for mmengine's history of logged values where only the weights are wanted."""


def load_plain(filename: str | PathLike[str], map_location: Any = None, *, history: type = History) -> Any:
    """A checkpoint on disk: tensors, numpy arrays, mmengine's histories and plain values, and nothing that runs.

    Args:
        filename: The file.
        map_location: Where its tensors go, as for `torch.load`.
        history: The class that histories of logged values become.

    Raises:
        CheckpointError: The file is missing, damaged, something else, or holds anything else.
    """
    path = Path(filename).expanduser()
    check_regular(path, what="checkpoint", error=CheckpointError)
    try:
        if (found := damage(path)) or (found := something_else(path)):
            raise CheckpointError(f"{filename} {found}")
        with torch.serialization.safe_globals(_plain_types(history)):
            return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{filename} holds more than tensors and plain data and was not run: {refused(error)}"
        ) from error
    except OSError as error:
        raise CheckpointError(f"{filename} cannot be read as a checkpoint: {error.strerror or error}") from error
    except (EOFError, RuntimeError, ValueError, KeyError, AttributeError, TypeError) as error:
        said = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{filename} cannot be read as a checkpoint: {said}") from error


def damage(path: Path) -> str:
    """What says that a file is not as it was written, as the rest of a sentence; empty where nothing does.

    torch reads an archive without asking for its checksums, so that flipped bits would become weights.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        return "is empty"
    if not any(head):
        return "is damaged: it begins with zeros"
    if head != _ZIP:
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        return f"is damaged or cut: {error}"
    return f"is damaged: {CRC_HINT} ({wrong})" if wrong else ""


def something_else(path: Path) -> str:
    """What a file is, by its first bytes, where that is certainly no checkpoint of torch; empty otherwise.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(_LFS):
        return "is no checkpoint but a pointer of git-lfs to one; fetch the file itself with `git lfs pull`"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGE):
        return "is no checkpoint but a web page, as a download gives it that needs a login or a click; fetch it again"
    if head.startswith(_ZIP):
        return _other_archive(path)
    for start, what in _OTHERS.items():
        if head.startswith(start):
            return f"is no checkpoint but {what}"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return "is a safetensors file; accepted are files of torch.save"
    return f"is no checkpoint but text, which begins with {shown(head[:40])}" if _is_text(head) else ""


def _other_archive(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = {Path(name).name for name in archive.namelist()}
    if "constants.pkl" in names:
        return "is a TorchScript program, not weights; accepted are files of torch.save"
    return "" if "data.pkl" in names else "is no checkpoint but a zip archive of other files; unpack it first"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else a character that the cut has split
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter.isspace() for letter in text)


def held_tensors(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint keeps as the state of its network, by names without those of wrappers."""
    held = next((content[key] for key in STATES if isinstance(content.get(key), Mapping)), content)
    return {_unwrapped(str(name)): value for name, value in held.items() if name != _COUNTER}


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def check_finite(state: Mapping[str, Tensor], name: object) -> None:
    """Weights are numbers.

    Args:
        state: The tensors.
        name: Where they come from, for the message.

    Raises:
        CheckpointError: A tensor holds something that is none.
    """
    odd = [key for key, value in state.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if odd:
        raise CheckpointError(
            f"{name} holds weights that are not finite, in {len(odd)} of {len(state)} tensors, first {odd[0]}: "
            "the training that wrote them had diverged"
        )


def refused(error: Exception) -> str:
    """What torch found in a file, in one line and without its advice to load the file all the same."""
    reason = str(error).rpartition("WeightsUnpickler error: ")[2]
    return " ".join(reason.split(". ")[0].partition("Check the documentation")[0].split())


def _plain_types(history: type) -> list[Any]:
    """What checkpoints hold beside tensors: arguments of the training script, histories, numpy's numbers and arrays."""

    def statistic(owner: object, name: str) -> Any:
        """The one use of `getattr` in a history: its statistics, such as `HistoryBuffer.mean`."""
        if owner is not history or name.startswith("_"):
            raise pickle.UnpicklingError(f"getattr of {owner!r} and {name!r} is no statistic of a history")
        return getattr(history, name, None)

    scalar, array = np.float64(0).__reduce__()[0], np.empty(0).__reduce__()[0]
    dtypes = [type(np.dtype(code)) for code in "?bhilqBHILQefdSU"]
    # Files written before numpy 2 name the same two functions by their former module.
    former = [(scalar, "numpy.core.multiarray.scalar"), (array, "numpy.core.multiarray._reconstruct")]
    named = [(history, _HISTORY), (statistic, "builtins.getattr")]
    return [*named, argparse.Namespace, np.dtype, np.ndarray, scalar, array, *former, *dtypes]

"""Files of tensors: written in one step, and read as plain data."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from topformer.errors import StorageError
from topformer.files import replacing
from topformer.weights.plain import damage, refused

_LOG = logging.getLogger(__name__)


def write_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file that is either whole or absent.

    Raises:
        StorageError: The disk does not take it.
    """
    with replacing(path) as fresh:
        torch.save(content, fresh)


@contextmanager
def reading(checkpoint: Path) -> Iterator[dict[str, Any]]:
    """The content of a training's checkpoint, for a block that goes on from it.

    Raises:
        StorageError: The file cannot be read, or the block finds that something is missing or does not fit.
    """
    try:
        if found := damage(checkpoint):
            raise StorageError(f"{checkpoint} {found}; remove it to start again")
        yield torch.load(checkpoint, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise StorageError(
            f"{checkpoint} cannot be read, remove it to start again: it holds more than tensors and plain data and was "
            f"not run: {refused(error)}"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())
        raise StorageError(f"{checkpoint} cannot be read, remove it to start again: {said}") from error


def goes_on(checkpoint: Path) -> bool:
    """Whether there is a checkpoint that a training can go on from; a damaged one is none, and a note says so.

    It stays where it is: the next checkpoint takes its place.

    Raises:
        StorageError: The file cannot be read.
    """
    if not checkpoint.exists():
        return False
    try:
        found = damage(checkpoint)
    except OSError as error:
        raise StorageError(f"cannot read {checkpoint}: {error.strerror or error}") from error
    if found:
        _LOG.warning("%s %s; what it held is computed anew", checkpoint, found)
    return not found

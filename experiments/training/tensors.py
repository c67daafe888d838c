"""Files of tensors: written in one step, and read as plain data."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from topformer.errors import StorageError
from topformer.files import replacing


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
        yield torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, UnpicklingError) as error:
        said = " ".join(str(error).split())
        raise StorageError(f"{checkpoint} cannot be read, remove it to start again: {said}") from error

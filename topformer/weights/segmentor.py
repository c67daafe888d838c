"""Checkpoints of mmsegmentation as plain data: read without running anything in them, and without mmsegmentation."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from topformer.errors import CheckpointError
from topformer.weights.released import refused

_PARTS = {"backbone.": "backbone.body.", "head.": "decode_head.body."}
_HISTORY = "mmengine.logging.history_buffer.HistoryBuffer"
"""The class under whose name mmengine stores logged values in every checkpoint."""


class History:
    """Stands for mmengine's history of logged values where only the weights are wanted."""


def to_segmentor_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a `TopFormer` under the names of its segmentor (`topformer.mmseg.segmentor`).

    Raises:
        CheckpointError: A name is none of a `TopFormer`.
    """
    return {_renamed(name, _PARTS): value for name, value in state.items()}


def from_segmentor_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a segmentor under the names of its `TopFormer`; the inverse of `to_segmentor_state`.

    Raises:
        CheckpointError: A name is none of a segmentor.
    """
    theirs = {new: old for old, new in _PARTS.items()}
    return {_renamed(name, theirs): value for name, value in state.items()}


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    raise CheckpointError(f"{name} is no tensor of a TopFormer; accepted: names that start with {', '.join(prefixes)}")


def load_plain(filename: str | Path, map_location: Any = None, *, history: type = History) -> Any:
    """A checkpoint on disk: tensors, numpy arrays, mmengine's histories and plain values, and nothing that runs.

    Args:
        filename: The file.
        map_location: Where its tensors go, as for `torch.load`.
        history: The class that histories of logged values become.

    Raises:
        CheckpointError: The file is missing, broken, or holds anything else.
    """
    try:
        with torch.serialization.safe_globals(_plain_types(history)):
            return torch.load(Path(filename).expanduser(), map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{filename} holds more than tensors and plain data and was not run: {refused(error)}"
        ) from error
    except (OSError, EOFError, RuntimeError) as error:
        raise CheckpointError(f"{filename} cannot be read as a checkpoint: {error}") from error


def _plain_types(history: type) -> list[Any]:
    """What mmengine's checkpoints hold beside tensors: histories of logged values, which are numpy arrays."""

    def statistic(owner: object, name: str) -> Any:
        """The one use of `getattr` in a history: its statistics, such as `HistoryBuffer.mean`."""
        if owner is not history or name.startswith("_"):
            raise pickle.UnpicklingError(f"getattr of {owner!r} and {name!r} is no statistic of a history")
        return getattr(history, name, None)

    scalar, array = np.float64(0).__reduce__()[0], np.empty(0).__reduce__()[0]
    dtypes = [type(np.dtype(code)) for code in "?bhilqBHILQefd"]
    # Files written before numpy 2 name the same two functions by their former module.
    former = [(scalar, "numpy.core.multiarray.scalar"), (array, "numpy.core.multiarray._reconstruct")]
    named = [(history, _HISTORY), (statistic, "builtins.getattr")]
    return [*named, np.dtype, np.ndarray, scalar, array, *former, *dtypes]

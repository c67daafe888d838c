"""The names of mmsegmentation's segmentor and ours for the same tensors, without mmsegmentation."""

from collections.abc import Mapping

from torch import Tensor

from topformer.errors import CheckpointError

_PARTS = {"backbone.": "backbone.body.", "head.": "decode_head.body."}


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

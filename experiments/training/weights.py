"""Weights of a network from any file that holds them: a training's checkpoint, a finished training's, the release's."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from topformer.checkpoints import holds_backbone_alone, load_released
from topformer.design import Design
from topformer.errors import CheckpointError
from topformer.inherit import inherit
from topformer.mmseg import from_segmentor_state, load_plain
from topformer.network import TopFormer

_OF_A_SEGMENTOR = "backbone.body."
_OF_A_NETWORK = "backbone.pyramid."
_OF_A_RELEASED_ONE = "backbone.tpm."


def read_weights(path: Path, design: Design) -> tuple[dict[str, Tensor], tuple[str, ...], Mapping[str, Any]]:
    """The weights in a file, as the state dict of a `TopFormer` of the design.

    Known are mmengine's checkpoints of our segmentor, state dicts of a `TopFormer`, and the released checkpoints,
    ImageNet backbones among them.

    Args:
        path: The file; nothing in it is run.
        design: The network that it was trained with.

    Returns:
        The state dict; the names in it that the file did not give; and what the file says of its data set
        (`classes`, `palette`), if anything.

    Raises:
        CheckpointError: The file cannot be read or belongs to another design.
    """
    content = _content(path)
    held = content.get("state_dict", content)
    if any(name.startswith((_OF_A_SEGMENTOR, _OF_A_NETWORK)) for name in held):
        return _own(path, held, design), (), _about(content)
    network = TopFormer(design)
    report = load_released(network, content)
    return network.state_dict(), report.kept, _about(content)


def peek_classes(path: Path) -> Mapping[str, Any]:
    """What the file says of its data set (`classes`, `palette`), if anything.

    Raises:
        CheckpointError: The file cannot be read.
    """
    return _about(_content(path))


def start_of_configuration(path: Path) -> dict[str, str]:
    """What a configuration says that mmengine alone is to start from: the argument of `mmengine_configuration`.

    A released ImageNet backbone is `pretrained`; a whole segmentor, ours or the release's, is `initial`.

    Raises:
        CheckpointError: The file cannot be read, or has names that mmengine does not find.
    """
    content = _content(path)
    if holds_backbone_alone(content):
        return {"pretrained": str(path)}
    held = content.get("state_dict", content)
    if not any(name.startswith((_OF_A_SEGMENTOR, _OF_A_RELEASED_ONE)) for name in held):
        raise CheckpointError(
            f"{path} is no checkpoint of a segmentor, so that a configuration cannot start from it; a training can, "
            "without --print-config"
        )
    return {"initial": str(path)}


def _content(path: Path) -> Mapping[str, Any]:
    # ImageNet checkpoints carry the arguments of their training script.
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = load_plain(path, map_location="cpu")
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} must hold a mapping of names to tensors, got {type(content).__name__}")
    return content


def _own(path: Path, held: Mapping[str, Tensor], design: Design) -> dict[str, Tensor]:
    state = {name: value for name, value in held.items() if not name.startswith("data_preprocessor.")}
    if any(name.startswith(_OF_A_SEGMENTOR) for name in state):
        state = from_segmentor_state(state)
    try:
        TopFormer(design).load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit the design; {' '.join(str(error).split())[:300]}") from None
    return dict(state)


def _about(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """What mmengine (1.x) or mmcv (0.x) wrote down about the data set."""
    meta = content.get("meta")
    if not isinstance(meta, Mapping):
        return {}
    found = meta.get("dataset_meta", {"classes": meta.get("CLASSES"), "palette": meta.get("PALETTE")})
    return {name: value for name, value in found.items() if name in ("classes", "palette") and value}


def trained_weights(path: Path, design: Design) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """As `read_weights`, for a network that is to predict: every tensor must be in the file.

    Raises:
        CheckpointError: As there, or the file holds a backbone alone.
    """
    state, kept, about = read_weights(path, design)
    lacking = [name for name in kept if not name.endswith("num_batches_tracked")]
    if lacking:
        raise CheckpointError(f"{path} holds no trained head; {len(lacking)} tensors are missing, first {lacking[0]}")
    return state, about


def starting_weights(path: Path, source: Design, design: Design, *, seed: int) -> dict[str, Tensor]:
    """Weights to start a training of `design` from: those of `source` in a file, sliced where the designs differ.

    What the file does not have is initialised with the seed.

    Raises:
        CheckpointError: The file cannot be read or belongs to another design than `source`.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state, _, _ = read_weights(path, source)
        return inherit(state, source, design)[0]
